/*
 * A chain as the README makes it: each node a process of its own, started by the program that users have.
 */
import { cpSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../src/node/devnet/homes.ts'
import {
  type CliChain,
  createCliScratch,
  DA_BLOCK_TIME,
  evolve,
  getValue,
  initChain,
  initFollower,
  postTx,
} from '../support/cli-network.ts'
import type { Ended } from '../support/process.ts'

const scratch = createCliScratch()
afterAll(async () => await scratch.clear())

/** A start that was refused: exit code 2, a message with `texts`, no stack trace, and nothing that looks like a start. */
function expectRefused({ code, stderr }: Ended, ...texts: readonly string[]): void {
  for (const text of texts) expect(stderr).toContain(text)
  expect(stderr).not.toMatch(/^\s+at /m)
  expect(stderr).not.toMatch(/node started|taking over/)
  expect(code).toBe(2)
}

/** An end as a signal asked for: exit code 0, and nothing in the log that a person should look at. */
function expectClean({ code, stderr }: Ended): void {
  expect(stderr).not.toMatch(/WARN|ERROR|^\s+at /m)
  expect(stderr).toMatch(/stopped(?: height=\d+)?\n$/)
  expect(code).toBe(0)
}

const DEBUG = ['--evnode.log.level', 'debug']

test('a chain from the README: what is sent to the aggregator is read on its followers', async () => {
  const chain = await initChain(scratch, 'readme')
  const ports = [await freePort(), await freePort(), await freePort()]
  const [seqAt = '', peerAt = '', daAt = ''] = ports.map((port) => `127.0.0.1:${port}`)
  const da = scratch.start([
    'da',
    '--port',
    String(chain.daPort),
    '--data',
    join(scratch.folder, 'da'),
    '--block-time',
    DA_BLOCK_TIME,
  ])
  await da.said('local DA started')
  const seq = scratch.start([...chain.start, '--kv-endpoint', seqAt])
  await seq.said('node started')

  const peerHome = await initFollower(scratch, chain, 'by-peers', ['--evnode.p2p.peers', chain.peer])
  const daHome = await initFollower(scratch, chain, 'by-da', [
    '--evnode.da.address',
    chain.da,
    '--evnode.da.namespace',
    chain.namespace,
  ])
  const byPeers = scratch.start(['start', '--home', peerHome, '--kv-endpoint', peerAt, ...DEBUG])
  const byDa = scratch.start(['start', '--home', daHome, '--kv-endpoint', daAt, ...DEBUG])
  await Promise.all([byPeers.said('node started'), byDa.said('node started')])

  expect(await postTx(seqAt, 'name=Ada')).toEqual({ status: 202, body: 'Transaction accepted' })
  await byPeers.said(/block applied height=\d+ txs=1 source=p2p/)
  expect(await getValue(peerAt, 'name')).toEqual({ status: 200, body: 'Ada' })
  await byDa.said(/block applied height=\d+ txs=1 source=da/)
  expect(await getValue(daAt, 'name')).toEqual({ status: 200, body: 'Ada' })
  expect(await getValue(seqAt, 'name')).toEqual({ status: 200, body: 'Ada' })
  expect(await postTx(peerAt, 'name=Eve')).toEqual({
    status: 503,
    body: 'this node makes no blocks: send transactions to the aggregator',
  })

  // A second process on a home that is in use, and on a copy of it, while the first goes on.
  expectRefused(await evolve(['start', '--home', peerHome]), join(peerHome, 'data'), 'in use', '--home')
  expectRefused(await evolve(chain.start), 'signs with the key', `pid ${seq.child.pid}`)
  const copy = join(scratch.folder, 'copy')
  cpSync(chain.home, copy, { recursive: true })
  const refused = await evolve([
    'start',
    '--home',
    copy,
    '--evnode.signer.passphrase_file',
    scratch.passphrase,
    '--evnode.p2p.listen_address',
    '/ip4/127.0.0.1/tcp/0',
  ])
  expectRefused(refused, 'signs with the key', 'fork the chain')
  expect((await postTx(seqAt, 'city=London')).status).toBe(202)
  await Promise.all([
    byPeers.said(/(?:block applied height=\d+ txs=1 source=p2p[\s\S]*){2}/),
    byDa.said(/(?:block applied height=\d+ txs=1 source=da[\s\S]*){2}/),
  ])

  for (const ended of await Promise.all([byDa.stop(), byPeers.stop()])) expectClean(ended)
  for (const one of [seq, da]) expectClean(await one.stop())
})

test('a second signal ends a stop that takes its time, with 130', async () => {
  const chain = await initChain(scratch, 'impatient', ['--evnode.da.address', ''])
  const port = await freePort()
  const seq = scratch.start([...chain.start, '--kv-endpoint', `127.0.0.1:${port}`])
  await seq.said('node started')
  expect(seq.output).toContain('nothing becomes final')
  // A client that does not finish its request is given some seconds.
  const client = connect(port, '127.0.0.1')
  await new Promise<void>((resolve, reject) => {
    client.once('error', reject)
    client.write('POST /tx HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\nab')
    client.once('data', () => resolve())
  })
  seq.child.kill('SIGINT')
  await seq.said('stopping; a second signal ends at once')
  const { code, stderr } = await seq.stop('SIGINT')
  client.destroy()
  expect(stderr).toContain('second signal, ending now')
  expect(stderr).not.toContain('node stopped')
  expect(code).toBe(130)
})

describe('a start is refused, before anything is signed,', () => {
  let chain: CliChain
  beforeAll(async () => {
    chain = await initChain(scratch, 'refused', ['--evnode.da.address', ''])
  })

  test('with a wrong passphrase', async () => {
    const { home } = chain
    expectRefused(
      await evolve([
        'start',
        '--home',
        home,
        '--evnode.signer.passphrase_file',
        join(home, 'config/genesis.json'),
      ]),
      join(home, 'config/signer.json'),
      'passphrase',
    )
  })

  test('with a key that the genesis does not name', async () => {
    const { home } = chain
    const other = await initChain(scratch, 'other', ['--evnode.da.address', ''])
    cpSync(join(home, 'config/genesis.json'), join(other.home, 'config/genesis.json'))
    expectRefused(
      await evolve(other.start),
      join(other.home, 'config/genesis.json'),
      join(other.home, 'config/signer.json'),
      'evolve keys import',
    )
  })

  test('where another program has the port of the endpoint, or of the peers', async () => {
    const { start } = chain
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    expectRefused(
      await evolve([...start, '--kv-endpoint', `127.0.0.1:${port}`]),
      `127.0.0.1:${port} is in use`,
      '--kv-endpoint',
    )
    expectRefused(
      await evolve([...start, '--evnode.p2p.listen_address', `/ip4/127.0.0.1/tcp/${port}`]),
      `/tcp/${port} is in use`,
      '--evnode.p2p.listen_address',
    )
    await new Promise((resolve) => server.close(resolve))
  })

  test('with what is no address of a DA node', async () => {
    expectRefused(
      await evolve([...chain.start, '--evnode.da.address', 'nonsense']),
      'da.address',
      'nonsense',
      'http://localhost:7980',
    )
  })
})

test('DA that cannot be reached is told, stops nothing, and is used when it comes back', async () => {
  const chain = await initChain(scratch, 'lonely', ['--evnode.node.catchup_timeout', '500ms'])
  const follower = await initFollower(scratch, chain, 'lonely-follower', [
    '--evnode.da.address',
    chain.da,
    '--evnode.da.namespace',
    chain.namespace,
  ])
  const seq = scratch.start([...chain.start, ...DEBUG])
  const byDa = scratch.start(['start', '--home', follower, ...DEBUG])
  await seq.said(/WARN: .*DA cannot be reached; making blocks without having seen it/)
  await seq.said(/WARN: .*posting to DA failed; trying again/)
  await seq.said(/block made height=[5-9]/)
  await byDa.said(/WARN: .*127\.0\.0\.1/)
  const da = scratch.start(['da', '--port', String(chain.daPort), '--block-time', DA_BLOCK_TIME])
  await byDa.said(/block applied height=[5-9] .*source=da/)
  const codes = await Promise.all([byDa, seq, da].map(async (one) => (await one.stop()).code))
  expect(codes).toEqual([0, 0, 0])
})
