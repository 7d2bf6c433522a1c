import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { signingKeyOf } from '../../src/signer/file.node.ts'
import { formatPrivateKey } from '../../src/signer/private-key-text.ts'
import { toHex } from '../../src/util/bytes.ts'
import { type Ended, runProgram } from '../support/process.ts'

const scratch = mkdtempSync(join(tmpdir(), 'evolve-keys-cli-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
const passphrase = join(scratch, 'passphrase')
writeFileSync(passphrase, 'correct horse\n')
const main = 'src/cli/main.ts'
let homes = 0
const newHome = (): string => join(scratch, `home-${homes++}`)

/** Runs the program with `input` on its standard input. */
async function evolveWith(
  input: string,
  parameters: readonly string[],
): Promise<Pick<Ended, 'code' | 'stdout' | 'stderr'>> {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=evolve-source', `${root}${main}`, ...parameters], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // The input stays open: the program has to go on, and end, after the first line.
  child.stdin.write(input)
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { code, stdout, stderr }
}

test.each([
  [['keys', '--help']],
  [['keys', 'show', '--help']],
  [['keys', 'export', '--help']],
  [['keys', 'import', '--help']],
])('evolve %s has examples', async (parameters) => {
  const { stdout, code } = await runProgram(main, parameters)
  expect(code).toBe(0)
  expect(stdout).toContain('Examples:')
})

test.each([[['keys']], [['keys', 'inport']], [['keys', 'export', '--force']], [['keys', 'show', 'x']]])(
  'evolve %s is a mistake that is told',
  async (parameters) => {
    const { stdout, stderr, code } = await runProgram(main, parameters)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).not.toBe('')
    expect(stderr).not.toMatch(/^\s+at /m)
  },
)

test('the key that init makes goes out and into another home, whose genesis is then its own', async () => {
  const [from, to] = [newHome(), newHome()]
  const variables = { EVNODE_SIGNER_PASSPHRASE_FILE: passphrase }
  const made = await runProgram(main, ['init', '--home', from, '--evnode.node.aggregator'], variables)
  expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 0, stderr: '' })
  const exported = await runProgram(main, ['keys', 'export', '--home', from], variables)
  expect(exported.stdout).toMatch(/^[\da-f]{128}\n$/)
  expect(exported.code).toBe(0)

  const imported = await evolveWith(exported.stdout, [
    'keys',
    'import',
    '-',
    '--home',
    to,
    '--evnode.signer.passphrase_file',
    passphrase,
  ])
  expect({ code: imported.code, stderr: imported.stderr }).toEqual({
    code: 0,
    stderr: expect.stringContaining('signer.ledger'),
  })
  expect(statSync(join(to, 'config/signer.json')).mode & 0o777).toBe(0o600)
  const shown: unknown = JSON.parse((await runProgram(main, ['keys', 'show', '--home', to, '--json'])).stdout)
  const genesis: unknown = JSON.parse(readFileSync(join(from, 'config/genesis.json'), 'utf8'))
  expect(genesis).toMatchObject({ proposer_address: Reflect.get(Object(shown), 'proposer_address') })
})

test('a key is not lost: without --force it stays, and what is wrong ends with 2', async () => {
  const home = newHome()
  const parameters = ['keys', 'import', '-', '--home', home, '--evnode.signer.passphrase_file', passphrase]
  const [one, two] = [0, 1].map(() => signingKeyOf(new Uint8Array(randomBytes(32))))
  if (one === undefined || two === undefined) throw new Error('no keys')
  expect((await evolveWith(`${formatPrivateKey(one)}\n`, parameters)).code).toBe(0)
  const refused = await evolveWith(`${formatPrivateKey(two)}\n`, parameters)
  expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 2, stdout: '' })
  expect(refused.stderr).toContain('--force')
  const forced = await evolveWith(`${formatPrivateKey(two)}\n`, [...parameters, '--force', '--json'])
  expect(JSON.parse(forced.stdout)).toMatchObject({
    address: toHex(two.address),
    backup: join(home, 'config/signer.json.1.bak'),
  })
})
