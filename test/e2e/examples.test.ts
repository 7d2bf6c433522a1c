/* The programs of examples/, each in a process of its own, to its end. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runProgram, type RunningProgram, startProgram } from '../support/process.ts'
import { evolve } from '../support/cli-network.ts'

const examples = fileURLToPath(new URL('../../examples', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'evolve-examples-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** Runs an example to its end, which must be a good one, and gives what it said. */
async function run(name: string, ...parameters: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(`examples/${name}`, parameters)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

test('a chain in one process', async () => {
  expect(await run('counter.ts')).toMatch(/transactions\nthe counter is at 55\n$/)
})

test('a bridge pays what is final', async () => {
  expect(await run('bridge.ts')).toMatch(/^(pay \d+ to .*\n){3}paid ada, bob, cleo\n$/)
})

describe('beside a chain of another process', () => {
  const directory = join(scratch, 'chain')
  let chain: RunningProgram
  let said: Record<'genesis' | 'peer' | 'rpc', string>

  beforeAll(async () => {
    chain = startProgram('examples/counter-chain.ts', [directory])
    let output = ''
    chain.child.stdout?.on('data', (text: Buffer) => (output += text.toString()))
    await chain.line('stdout', 'rpc http')
    const of = (name: string): string => new RegExp(`^${name} (.*)$`, 'm').exec(output)?.[1] ?? ''
    said = { genesis: of('genesis'), peer: of('peer'), rpc: of('rpc') }
  })
  afterAll(async () => {
    chain.child.kill('SIGKILL')
    await chain.ended
  })

  test('somebody follows it with the same application', async () => {
    expect(await run('follow-counter.ts', said.genesis, said.peer, '3')).toMatch(
      /block \d+: the counter is at \d+\ncounted \d+ in \d+ blocks\n$/,
    )
  })

  test('its headers alone', async () => {
    expect(await run('headers-only.ts', said.genesis, said.peer, '5')).toMatch(
      /^(\d [\da-f]{64}\n){5}synced 5 headers of counting\n$/,
    )
  })

  test('a transaction is brought and found', async () => {
    expect(await run('submit-and-wait.ts', said.rpc, '1000')).toMatch(
      /^submitted [\da-f]{64}\nin block \d+, place \d+\n$/,
    )
    const refused = await runProgram('examples/submit-and-wait.ts', [said.rpc, 'a thousand'])
    expect(refused.stderr).toMatch(/TX_REFUSED/)
    expect(refused.code).toBe(1)
  })

  test('it stops when it is told to, goes on where it was, and its folder is a home of the command too', async () => {
    chain.child.kill('SIGTERM')
    const { code, stdout } = await chain.ended
    expect(code).toBe(0)
    const [, count = ''] = /^stopped at (\d+)$/m.exec(stdout) ?? []
    expect(Number(count)).toBeGreaterThan(1_000)
    const passphrase = join(directory, 'config/passphrase')
    const shown = await evolve([
      'keys',
      'show',
      '--home',
      directory,
      '--evnode.signer.passphrase_file',
      passphrase,
    ])
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('(opens)') })
    const again = await evolve(['init', '--home', directory, '--evnode.signer.passphrase_file', passphrase])
    expect(again.stdout).not.toMatch(/\((new|changed)\)/)
    chain = startProgram('examples/counter-chain.ts', [directory])
    await chain.line('stdout', 'rpc http')
    // Not gracefully: what it has executed is still there.
    chain.child.kill('SIGKILL')
    await chain.ended
    chain = startProgram('examples/counter-chain.ts', [directory])
    await chain.line('stdout', 'rpc http')
    chain.child.kill('SIGTERM')
    const [, later = ''] = /^stopped at (\d+)$/m.exec((await chain.ended).stdout) ?? []
    expect(Number(later)).toBeGreaterThanOrEqual(Number(count))
  })
})

test('every example says how it is run, and imports the package alone', () => {
  const files = readdirSync(examples).filter((name) => name.endsWith('.ts'))
  expect(files.length).toBeGreaterThanOrEqual(7)
  for (const name of files) {
    const text = readFileSync(join(examples, name), 'utf8')
    if (name !== 'counter-executor.ts') expect(text).toContain(`npm run example examples/${name}`)
    for (const [, from = ''] of text.matchAll(/from '([^']+)'/g)) {
      expect(from).toMatch(/^(node:[\w/]+|evolve-node(\/\w+)?|\.\/counter-executor\.ts)$/)
    }
  }
})
