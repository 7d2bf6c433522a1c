import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../src/node/devnet/homes.ts'
import {
  type CliChain,
  type CliProcess,
  createCliScratch,
  evolve,
  initChain,
  initFollower,
} from '../support/cli-network.ts'
import type { Ended } from '../support/process.ts'

/*
 * What an operator asks and does, with a DA, an aggregator and a follower in processes of their own.
 */
const scratch = createCliScratch()
let chain: CliChain
let follower = ''
let aggregator: CliProcess

beforeAll(async () => {
  chain = await initChain(scratch, 'operated', ['--evnode.rpc.address', `127.0.0.1:${await freePort()}`])
  follower = await initFollower(scratch, chain, 'follower', [
    '--evnode.p2p.peers',
    chain.peer,
    '--evnode.da.address',
    chain.da,
    '--evnode.da.namespace',
    chain.namespace,
    '--evnode.rpc.address',
    `127.0.0.1:${await freePort()}`,
  ])
  await scratch
    .start(['da', '--port', String(chain.daPort), '--block-time', '500ms'])
    .said('local DA started')
  aggregator = scratch.start(chain.start)
  await aggregator.said('taking over')
})
afterAll(async () => await scratch.clear())

async function asked(...parameters: readonly string[]): Promise<Ended> {
  return await evolve([...parameters, '--home', chain.home])
}

async function json(...parameters: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await asked(...parameters, '--json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

const levels = (text: string): readonly string[] =>
  text.split('\n').flatMap((line) => /^(?:ok|warning|problem)(?= )/.exec(line) ?? [])

test('a transaction is handed over, waited for, and found again', async () => {
  const placed = await json('tx', 'name=Ada', '--wait', 'final')
  expect(placed).toMatchObject({ hash: expect.stringMatching(/^[\da-f]{64}$/), index: 0, final: true })
  const height = String(typeof placed === 'object' && placed !== null ? Reflect.get(placed, 'height') : '')
  expect(await json('inspect', 'block', height)).toMatchObject({
    type: 'Block',
    valid: true,
    data: { tx_count: 1 },
  })
  const text = (await asked('inspect', 'block', height)).stdout
  expect(text).toContain('"name=Ada"')
  expect(text).toMatch(/signature +valid/)
})

test('the status is told once, and as it changes', async () => {
  expect(await json('status')).toMatchObject({
    chain_id: 'operated',
    role: 'aggregator',
    phase: 'producing',
    peers: 0,
    da: { reachable: true },
  })
  const watching = scratch.start(['status', '--json', '--watch', '--home', chain.home])
  const heights = (): number[] =>
    watching.output
      .split('\n')
      .slice(0, -1)
      .map((line) => Number(JSON.parse(line).height))
  await watching.saidWhen(() => heights().length >= 3)
  const seen = heights()
  expect(seen.at(-1)).toBeGreaterThan(seen[0] ?? Infinity)
  expect((await watching.stop('SIGINT')).code).toBe(0)
})

test('the status ends when nobody reads it any longer', async () => {
  const watching = scratch.start(['status', '--json', '--watch', '--home', chain.home])
  await watching.said('producing')
  watching.child.stdout?.destroy()
  expect((await watching.ended).code).toBe(0)
})

test('the log level changes while the node runs', async () => {
  expect(await json('log-level')).toEqual({ level: 'info' })
  expect(await json('log-level', 'debug')).toEqual({ level: 'debug', previous: 'info' })
  await aggregator.said('DEBUG')
  expect(await json('log-level', 'info')).toEqual({ level: 'info', previous: 'debug' })
})

describe('the doctor', () => {
  test('finds nothing wrong with the aggregator while it runs', async () => {
    const { code, stdout } = await asked('doctor', '--evnode.signer.passphrase_file', scratch.passphrase)
    expect(stdout).toMatch(/^ok +node +runs at .*: producing/m)
    expect(stdout).toMatch(/^ok +signer +key .* opens$/m)
    expect(stdout).toMatch(/^ok +ledger +last signed height \d+$/m)
    expect(stdout).toMatch(/^ok +database +kv: .* in use by process/m)
    expect(stdout).toMatch(/^ok +DA /m)
    expect({ code, problems: levels(stdout).includes('problem') }).toEqual({ code: 0, problems: false })
  })

  test('reaches the peer and the DA of a follower that does not run yet, and sees those of one that does', async () => {
    const stopped = await evolve(['doctor', '--home', follower])
    expect(stopped.code).toBe(0)
    expect(stopped.stdout).toContain('it does not run')
    expect(stopped.stdout).toMatch(/^ok +peers .* answers, evolve-node.*, height \d+/m)
    expect(stopped.stdout).toMatch(/^ok +clock +not behind the newest block/m)

    const node = scratch.start(['start', '--home', follower])
    await node.said('connected')
    const running = await evolve(['doctor', '--home', follower])
    expect(running.stdout).toMatch(/^ok +peers .* is connected to the node$/m)
    expect(running.code).toBe(0)
    const { stdout } = await evolve(['net-info', '--home', follower, '--output', 'json'])
    expect(JSON.parse(stdout)).toMatchObject({ peers: [{ direction: 'outbound', configured: true }] })
    expect((await node.stop()).code).toBe(0)
  })

  test('says when a peer is of another chain', async () => {
    const other = await initChain(scratch, 'stranger')
    copyFileSync(join(other.home, 'config/genesis.json'), join(follower, 'config/genesis.json'))
    const { code, stdout } = await evolve(['doctor', '--home', follower])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^problem +peers .* serves no headers of this chain/m)
  })

  test('looks into the database of a node that was killed', async () => {
    await aggregator.stop('SIGKILL')
    const { code, stdout } = await asked('doctor')
    expect(stdout).toMatch(/^ok +database +kv: .* height [1-9]\d*, its last block is whole$/m)
    expect(code).toBe(0)
    const status = await asked('status')
    expect({ code: status.code, stdout: status.stdout }).toEqual({ code: 1, stdout: '' })
    expect(status.stderr).toContain('Is it running')
  })
})
