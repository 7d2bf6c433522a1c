/*
 * A transaction goes from whoever it is handed to, over real sockets, to the aggregator, into a block, and is found by
 * its hash everywhere.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, expect, onTestFinished, test } from 'vitest'
import { systemEnv } from '../../src/core/env.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import {
  createFullNode,
  type FullNode,
  type FullNodeDeps,
  type FullNodeOptions,
} from '../../src/node/full-node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { signerOfKey, signingKeyOf } from '../../src/signer/file.node.ts'
import { createFileLedger } from '../../src/signer/ledger.node.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { type Genesis, parseGenesis } from '../../src/types/genesis.ts'
import { submissionProtocol } from '../../src/types/names.ts'
import type { TxPlace } from '../../src/core/node-view.ts'
import { fromUtf8, toHex, utf8 } from '../../src/util/bytes.ts'
import { sha256 } from '../../src/util/crypto.node.ts'
import { createCliScratch, initChain } from '../support/cli-network.ts'
import { until } from '../support/hosts.ts'

const signal = new AbortController().signal
const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))
const scratch = createCliScratch()
const running: FullNode[] = []
afterEach(async () => {
  for (const node of running.splice(0).toReversed()) await node.stop()
})
afterAll(async () => await scratch.clear())

/** A node in this process that finds its peers by their addresses alone. */
async function startNode(
  genesis: Genesis,
  deps: Partial<FullNodeDeps>,
  options: Partial<FullNodeOptions> = {},
): Promise<FullNode> {
  const node = createFullNode(
    {
      genesis,
      nodeKey: generateNodeKey(random),
      kv: createMemoryKv(),
      executor: (kv) => createKvExecutor({ kv }),
      ...deps,
    },
    { listen: ['/ip4/127.0.0.1/tcp/0'], peers: [], discovery: false, blockTime: 20, ...options },
  )
  running.push(node)
  await node.start()
  return node
}

/** Resolves when `peer` has told `node` that it passes transactions on. */
async function untilSpoken(node: FullNode, peer: string): Promise<void> {
  const protocol = submissionProtocol(node.genesis.chainId)
  await until(() => node.connections().some((one) => one.peer === peer && one.protocols.includes(protocol)))
}

/** Resolves with the place of a transaction once it is in a block, and in the index. */
async function placeOf(node: FullNode, tx: string): Promise<TxPlace> {
  for (;;) {
    const place = await node.transactions?.find(sha256(utf8(tx)))
    if (place !== undefined) return place
    const { promise, resolve } = Promise.withResolvers<void>()
    const leave = node.onBlock(() => resolve())
    await Promise.race([promise, node.failed.then((error) => Promise.reject(error))])
    leave()
  }
}

/** A new chain, and what makes a node its aggregator. */
function newChain(): { readonly genesis: Genesis; readonly key: FullNodeDeps['key'] } {
  const key = signingKeyOf(random(32))
  const genesis: Genesis = {
    chainId: `submission-${toHex(random(4))}`,
    startTime: systemEnv.now(),
    initialHeight: 1,
    proposerAddress: key.address,
    daStartHeight: 0,
    daEpochForcedInclusion: 50,
  }
  const path = join(scratch.folder, `ledger-${toHex(random(4))}`)
  const ledger = createFileLedger({ path, keyFingerprint: key.address })
  return { genesis, key: { signer: signerOfKey(key), ledger } }
}

test('what is handed to a follower of a follower is found by its hash on all three', async () => {
  const { genesis, key } = newChain()
  const aggregator = await startNode(genesis, key === undefined ? {} : { key })
  const middle = await startNode(genesis, {}, { peers: aggregator.addresses() })
  const last = await startNode(genesis, {}, { peers: middle.addresses() })
  await untilSpoken(middle, aggregator.peerId)
  await untilSpoken(last, middle.peerId)
  // An aggregator begins as a follower.
  await until(() => aggregator.status().height > 0)

  const nodes = [aggregator, middle, last]
  for (const [index, node] of nodes.toReversed().entries()) {
    const tx = `key ${index}=${index}`
    await node.submit(utf8(tx), { signal })
    const places = await Promise.all(nodes.map(async (one) => await placeOf(one, tx)))
    expect(new Set(places.map(({ height, index: at }) => `${height}/${at}`)).size).toBe(1)
    const [place] = places
    const data = await last.blocks.data(place?.height ?? 0)
    expect(fromUtf8(data?.txs[place?.index ?? 0] ?? utf8(''))).toBe(tx)
  }
  for (const node of nodes) {
    const refused = node.submit(utf8('no transaction'), { signal })
    await expect(refused).rejects.toMatchObject({ code: 'TX_REFUSED', verdict: 'reject' })
  }
})

test('an executor that takes no transactions does not keep them out: they go straight into the order', async () => {
  const { genesis, key } = newChain()
  const executor: FullNodeDeps['executor'] = (kv) => {
    const own = { ...createKvExecutor({ kv }) }
    for (const name of ['submitTx', 'onTxs']) Reflect.deleteProperty(own, name)
    return own
  }
  const aggregator = await startNode(genesis, { executor, ...(key === undefined ? {} : { key }) })
  const follower = await startNode(genesis, {}, { peers: aggregator.addresses() })
  await untilSpoken(follower, aggregator.peerId)
  await until(() => aggregator.status().height > 0)
  await follower.submit(utf8('a=1'), { signal })
  expect(await placeOf(follower, 'a=1')).toEqual(await placeOf(aggregator, 'a=1'))
})

test('nodes that are told to take none take none, and find none without an index', async () => {
  const { genesis, key } = newChain()
  const aggregator = await startNode(genesis, key === undefined ? {} : { key }, { takeTransactions: false })
  const follower = await startNode(genesis, {}, { peers: aggregator.addresses(), transactionIndex: false })
  await until(() => follower.connections().some(({ protocols }) => protocols.length > 0))
  await until(() => aggregator.status().height > 0)
  await expect(aggregator.submit(utf8('a=1'), { signal })).rejects.toMatchObject({ code: 'TX_NOT_ACCEPTED' })
  await expect(follower.submit(utf8('a=1'), { signal })).rejects.toMatchObject({
    code: 'NO_AGGREGATOR',
    message: expect.stringContaining('none of the 1 connected peers'),
  })
  expect(follower.transactions).toBeUndefined()
})

test('while the aggregator is killed its followers say so, and go on when it is back', async () => {
  const chain = await initChain(scratch, 'killed', ['--evnode.da.address='])
  const genesis = parseGenesis(readFileSync(join(chain.home, 'config/genesis.json'), 'utf8'))
  const first = scratch.start(chain.start)
  await first.said('taking over')
  const middle = await startNode(genesis, {}, { peers: [chain.peer] })
  const last = await startNode(genesis, {}, { peers: middle.addresses() })
  const [, aggregator = ''] = chain.peer.split('/p2p/')
  await untilSpoken(middle, aggregator)
  await untilSpoken(last, middle.peerId)
  await last.submit(utf8('a=1'), { signal })
  const before = await placeOf(last, 'a=1')
  expect(await placeOf(middle, 'a=1')).toEqual(before)

  await first.stop('SIGKILL')
  await until(() => !middle.connections().some(({ peer }) => peer === aggregator))
  for (const node of [middle, last]) {
    await expect(node.submit(utf8('b=1'), { signal })).rejects.toMatchObject({
      code: 'NO_AGGREGATOR',
      verdict: 'retry',
    })
  }

  const second = scratch.start(chain.start)
  await second.said('taking over')
  onTestFinished(async () => void (await second.stop('SIGKILL')))
  await untilSpoken(middle, aggregator)
  // It may have to follow to its end first.
  await until(() => middle.status().height > before.height)
  await last.submit(utf8('c=1'), { signal })
  expect(await placeOf(middle, 'c=1')).toEqual(await placeOf(last, 'c=1'))
  expect(await last.transactions?.find(sha256(utf8('b=1')))).toBeUndefined()
})
