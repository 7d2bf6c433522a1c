import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command, Option } from 'commander'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cliContext, runCli } from '../../test/support/run-cli.ts'
import { EXIT_CODES } from './exit.ts'
import { buildProgram } from './program.ts'

const CODES = new Set(EXIT_CODES.map(({ code }) => code))

let scratch = ''
const before = process.cwd()
beforeAll(() => {
  // Whatever a command writes to a relative path stays here.
  scratch = mkdtempSync(join(tmpdir(), 'evolve-fuzz-'))
  mkdirSync(join(scratch, 'folder'))
  writeFileSync(join(scratch, 'file'), 'content')
  process.chdir(scratch)
})
afterAll(() => {
  process.chdir(before)
  rmSync(scratch, { recursive: true, force: true })
})

interface Shape {
  readonly path: readonly string[]
  readonly options: readonly Option[]
}

function shapesOf(command: Command, above: readonly string[]): Shape[] {
  return command.commands.flatMap((one) => {
    const path = [...above, one.name()]
    return [{ path, options: one.options }, ...shapesOf(one, path)]
  })
}

const program = buildProgram(cliContext())
const shapes: readonly Shape[] = [{ path: [], options: program.options }, ...shapesOf(program, [])]

/** Values that are right somewhere, nearly right, and wrong everywhere; none reaches beyond this machine. */
const values = fc.oneof(
  fc.constantFrom(
    '',
    '-',
    '--',
    '0',
    '1',
    '-1',
    '1.5',
    'NaN',
    '1e9',
    '99999999999999999999',
    '0x',
    '0xff',
    'ff00',
  ),
  fc.constantFrom(
    'true',
    'false',
    '1s',
    '0s',
    '-1s',
    '1h1',
    'json',
    'text',
    'kv',
    'bash',
    'debug',
    'latest',
    'final',
  ),
  fc.constantFrom(
    'file',
    'folder',
    'nothing',
    './file',
    'folder/../file',
    '{}',
    '[]',
    '{"data":"AA=="}',
    'a=b',
  ),
  fc.constantFrom(
    '127.0.0.1:1',
    'http://127.0.0.1:1',
    'ftp://x',
    ':1',
    '/ip4/127.0.0.1/tcp/1',
    '127.0.0.1:99999',
  ),
  fc.string({ maxLength: 12 }).map((text) => text.replaceAll(/[/~]/g, '_')),
  fc.string({ unit: 'binary', maxLength: 8 }).map((text) => text.replaceAll(/[/~]/g, '_')),
)

function argumentsOf({ path, options }: Shape): fc.Arbitrary<string[]> {
  // The home is given below; help would end before anything is looked at.
  const names = options.flatMap(({ long }) => (long === undefined || long === '--home' ? [] : [long]))
  const named = fc.constantFrom(...names, '--nonsense', '-x')
  const option = fc.tuple(named, values, fc.constantFrom(0, 1, 2)).map(([name, value, form]) => {
    if (form === 0) return [name]
    return form === 1 ? [name, value] : [`${name}=${value}`]
  })
  const words = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: option },
      values.map((value) => [value]),
    ),
    {
      maxLength: 5,
    },
  )
  return words.map((given) => [...path, ...given.flat()])
}

test.each(shapes.map((shape) => [shape.path.join(' ') || 'evolve', shape] as const))(
  '%s takes anything: an answer or a clear message, a documented exit code, no stack',
  async (_, shape) => {
    const inputs = fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.string({ maxLength: 40 })), {
      maxLength: 2,
    })
    let homes = 0
    await fc.assert(
      fc.asyncProperty(argumentsOf(shape), inputs, async (given, stdin) => {
        const home = join(scratch, `home-${shape.path.join('-')}-${homes++ % 3}`)
        const { code, stdout, stderr } = await runCli(given, {
          stdin,
          variables: { EVNODE_HOME: home, EVNODE_RPC_ADDRESS: '127.0.0.1:1' },
        })
        expect(CODES).toContain(code)
        expect(stderr).not.toMatch(/^\s+at \S.*:\d+/m)
        expect(stderr).not.toMatch(/TypeError|RangeError|ReferenceError|undefined|\[object/)
        if (code !== 0) expect(stderr).toMatch(/^(?:error: .|Usage:)/m)
        else expect(stdout).not.toBe('')
      }),
      { numRuns: 60 },
    )
  },
  60_000,
)

test('a mistake in a name is told with what was meant', async () => {
  expect(await runCli(['strat'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Did you mean start?'),
  })
  expect(await runCli(['status', '--wach'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Did you mean --watch?'),
  })
  expect(await runCli(['keys', 'exprot'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('export'),
  })
})
