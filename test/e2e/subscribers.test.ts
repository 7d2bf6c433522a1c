/* A thousand subscribers to a network's blocks, and one that does not keep up. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { freePort } from '../../src/node/devnet/homes.ts'
import { createClient } from '../../src/rpc/client/index.ts'
import { createCliScratch, postTx } from '../support/cli-network.ts'

const scratch = createCliScratch()
afterAll(async () => await scratch.clear())

const variables = { TMPDIR: scratch.folder }
const SUBSCRIBERS = 1_000
const BLOCKS = 25

/** A devnet with RPC, which makes blocks. */
async function devnet(...parameters: readonly string[]) {
  const [rpcPort, kvPort] = [await freePort(), await freePort()]
  const network = scratch.start(
    ['devnet', '--rpc-port', String(rpcPort), '--kv-port', String(kvPort), ...parameters],
    variables,
  )
  await network.said(/aggregator producing [1-9]/)
  const [home = ''] = /(?<=· home )\S+/.exec(network.output) ?? []
  return { network, kv: `127.0.0.1:${kvPort}`, client: createClient(`127.0.0.1:${rpcPort}`), home }
}

test('a thousand subscribers are told every block, once and in order, from the past and as they come', async () => {
  const { network, client } = await devnet('--tx-rate', '50', '--block-time', '200ms')
  const { height: now } = await client.status()
  const hashes = new Map<number, string>()
  async function subscribe(index: number): Promise<string> {
    // A third asks for what was, a third for what is coming, a third for the next new one.
    const from = [1, now + 3, undefined][index % 3]
    let next = from
    let taken = 0
    for await (const block of client.subscribeBlocks(from === undefined ? {} : { from })) {
      next ??= block.height
      if (block.height !== next++) return `${block.height} instead of ${next - 1}`
      const hash = block.hash.join()
      if ((hashes.get(block.height) ?? hash) !== hash) return `another block ${block.height}`
      hashes.set(block.height, hash)
      if (++taken === BLOCKS) return 'all'
    }
    return `ended after ${taken}`
  }
  const results = await Promise.all(
    Array.from({ length: SUBSCRIBERS }, async (_, index) => await subscribe(index)),
  )
  expect(results.filter((result) => result !== 'all')).toEqual([])
  expect((await network.stop('SIGINT')).code).toBe(0)
})

test('a subscriber that reads nothing is dropped, told why and where to go on, and goes on there', async () => {
  const { network, client, kv, home } = await devnet('--block-time', '20ms')
  const slow = client.subscribeBlocks({ from: 1, full: true, reconnect: false })
  await slow.next()
  const said = (): boolean =>
    readFileSync(join(home, 'devnet.log'), 'utf8').includes('does not take what it is sent')
  // Large blocks fill what lies between the two; then the chain goes on without the slow one.
  const value = 'x'.repeat(50_000)
  let sent = 0
  for await (const { height } of client.subscribeStatus({ interval: 100 })) {
    if (said()) break
    for (let more = 0; more < 20; more++) await postTx(kv, `key${sent++ % 10}=${height}${value}`)
  }
  let last = 1
  const end: unknown = await (async () => {
    for await (const { summary } of slow) {
      if (summary.height !== last + 1) return new Error(`${summary.height} after ${last}`)
      last = summary.height
    }
    return undefined
  })().catch((error: unknown) => error)
  expect(end).toMatchObject({
    code: 'SUBSCRIPTION_DROPPED',
    data: { nextHeight: last + 1 },
    verdict: 'retry',
  })
  const again = client.subscribeBlocks({ from: last + 1, full: true })
  expect((await again.next()).value?.summary.height).toBe(last + 1)
  await again.return?.()
  expect((await network.stop('SIGINT')).code).toBe(0)
})
