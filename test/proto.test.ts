import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'evolve-proto-'))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Content of each file below a folder, by its path there. */
function contents(below: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(below, { recursive: true, encoding: 'utf8' })
      .map((name) => join(below, name))
      .filter((path) => statSync(path).isFile())
      .map((path) => [relative(below, path), readFileSync(path, 'utf8')]),
  )
}

test('the code of the protos is what the generator makes of them', () => {
  const bin = join(root, 'node_modules/.bin')
  execFileSync(join(bin, 'buf'), ['generate', '--output', folder], {
    cwd: root,
    env: { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` },
  })
  const made = contents(join(folder, 'src/rpc/gen'))
  expect(Object.keys(made).length).toBeGreaterThan(8)
  expect(contents(join(root, 'src/rpc/gen'))).toEqual(made)
})
