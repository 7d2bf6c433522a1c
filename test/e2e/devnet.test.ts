import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { freePort } from '../../src/node/devnet/homes.ts'
import { createCliScratch, evolve, getValue, initChain, postTx } from '../support/cli-network.ts'

const scratch = createCliScratch()
afterAll(async () => await scratch.clear())

/** The folder of a devnet that was not given one, and what comes after: `TMPDIR` is where it is made. */
const variables = { TMPDIR: scratch.folder }
const FAST = ['--block-time', '50ms', '--da-block-time', '300ms']

/** What the closing comparison says. */
function comparison(stdout: string) {
  const rows = [...stdout.matchAll(/^(.) (\S+) +header (\S+)  state root (\S+)$/gm)]
  return {
    height: Number(/^block (\d+) is final on every node$/m.exec(stdout)?.[1]),
    nodes: rows.map(([, mark, name]) => `${mark} ${name}`),
    headers: new Set(rows.map(([, , , header]) => header)).size,
    roots: new Set(rows.map(([, , , , root]) => root)).size,
    sent: Number(/^(\d+) transactions sent, (\d+) in blocks$/m.exec(stdout)?.[1]),
    inBlocks: Number(/^(\d+) transactions sent, (\d+) in blocks$/m.exec(stdout)?.[2]),
  }
}

test('runs for its time, compares the nodes, and leaves nothing', async () => {
  const { code, stdout, stderr } = await evolve(
    ['devnet', '--for', '5s', '--tx-rate', '50', '--block-time', '100ms'],
    variables,
  )
  const found = comparison(stdout)
  expect(found).toMatchObject({
    nodes: ['✓ aggregator', '✓ follower', '✓ da-only'],
    headers: 1,
    roots: 1,
  })
  expect(found.height).toBeGreaterThan(5)
  expect(found.sent).toBeGreaterThan(100)
  expect(found.inBlocks).toBe(found.sent)
  expect(stdout).toMatch(/all nodes have the same state\n$/)
  // Without a terminal it is plain lines.
  expect(`${stdout}${stderr}`).not.toContain('\u001b')
  expect(stderr).toMatch(
    /^explorer http:\/\/\S+ · DA http:\/\/\S+ · transactions http:\/\/\S+\/tx · home \S+\nDA \d+ · aggregator producing/,
  )
  expect(code).toBe(0)
  expect(readdirSync(scratch.folder)).toEqual(['pass'])
})

test('Ctrl-C stops it cleanly, and removes what nobody asked to keep', async () => {
  const port = await freePort()
  const network = scratch.start(['devnet', '--kv-port', String(port), ...FAST], variables)
  await network.said('aggregator producing')
  const [home = ''] = /(?<=· home )\S+/.exec(network.output) ?? []
  expect(existsSync(join(home, 'devnet.log'))).toBe(true)
  expect((await postTx(`127.0.0.1:${port}`, 'name=Ada')).status).toBe(202)
  const { code, stdout } = await network.stop('SIGINT')
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  expect(existsSync(home)).toBe(false)
})

test('--keep keeps the folder, and --home goes on with the chain in it', async () => {
  const port = await freePort()
  const first = scratch.start(['devnet', '--keep', '--kv-port', String(port), ...FAST], variables)
  await first.said('aggregator producing')
  await postTx(`127.0.0.1:${port}`, 'name=Ada')
  await first.said(/da-only following \d+ \(final [1-9]\d*\)/)
  const { code, stdout } = await first.stop('SIGINT')
  expect(code).toBe(0)
  const [, home = ''] = /^kept in (\S+); go on with: evolve devnet --home \1$/m.exec(stdout) ?? []
  const log = readFileSync(join(home, 'devnet.log'), 'utf8')
  expect(log).not.toContain('ERROR')

  // One at a time.
  const going = scratch.start(['devnet', '--home', home, '--kv-port', String(port), ...FAST], variables)
  const reached = /aggregator producing (\d+)/.exec(await going.said(/aggregator producing \d+/))?.[1]
  expect(Number(reached)).toBeGreaterThan(3)
  expect(await getValue(`127.0.0.1:${port}`, 'name')).toEqual({ status: 200, body: 'Ada' })
  const second = await evolve(['devnet', '--home', home, '--for', '1s'], variables)
  expect(second.code).toBe(2)
  expect(second.stderr).toContain(join(home, 'da'))
  expect((await going.stop('SIGTERM')).code).toBe(0)

  const last = await evolve(['devnet', '--home', home, '--for', '1s', ...FAST], variables)
  expect({ code: last.code, stderr: last.stderr }).toEqual({
    code: 0,
    stderr: expect.not.stringContaining('error'),
  })
  const found = comparison(last.stdout)
  expect(found.height).toBeGreaterThan(Number(reached))
  expect(found).toMatchObject({ headers: 1, roots: 1 })
  expect(last.stdout).toContain(`kept in ${home}`)

  // One of its nodes by hand, as the help says.
  const follower = scratch.start(['start', '--home', join(home, 'follower')])
  await follower.said('node started')
  expect((await follower.stop()).code).toBe(0)
})

describe('what is wrong is told, with exit code 2:', () => {
  test.each([
    [['--for', 'soon'], '--for'],
    [['--tx-rate', '1e3'], '--tx-rate'],
    [['--da-port', '70000'], '--da-port'],
    [['--block-time', '0s'], '--block-time'],
    [['--bogus'], '--bogus'],
    [['extra'], 'extra'],
  ])('%s', async (parameters, text) => {
    const { code, stdout, stderr } = await evolve(['devnet', ...parameters], variables)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(text)
    expect(stderr.split('\n')).toHaveLength(2)
  })

  test('the home of a single node', async () => {
    const { home } = await initChain(scratch, 'single')
    const { code, stderr } = await evolve(['devnet', '--home', home, '--for', '1s'], variables)
    expect(stderr).toContain(`${home} is the home of a node`)
    expect(code).toBe(2)
    expect(existsSync(join(home, 'aggregator'))).toBe(false)
  })
})

test('help has examples', async () => {
  const { code, stdout } = await evolve(['devnet', '--help'])
  expect(code).toBe(0)
  expect(stdout).toContain('Examples:')
  expect(stdout).toContain('curl -d')
})
