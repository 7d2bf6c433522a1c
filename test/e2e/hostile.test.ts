import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { readRecording } from '../../scripts/recorded/recording.ts'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { createProposers } from '../../src/core/proposers.ts'
import { createTestappExecutor } from '../../src/execution/testapp-executor.ts'
import { createFullNode, type FullNode } from '../../src/node/full-node.ts'
import { createHost } from '../../src/p2p/host.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { createDataSyncService } from '../../src/sync/data-service.ts'
import { createHeaderSyncService } from '../../src/sync/header-service.ts'
import {
  decodeP2PData,
  decodeP2PSignedHeader,
  encodeP2PData,
  encodeP2PSignedHeader,
} from '../../src/types/codec.ts'
import { headerHash, type SignedHeader, signHeader } from '../../src/types/header.ts'
import { gossipTopic } from '../../src/types/names.ts'
import { signerOfSeed } from '../../src/types/signer.ts'
import { toHex } from '../../src/util/bytes.ts'
import { type Answer, type Lie, startLyingPeer } from '../support/lying-peer.ts'

/** A part of the recording with blocks that have transactions, so that every kind of lie has a place. */
const LENGTH = 600
const LIED_AT = 371
const recording = readRecording(fileURLToPath(new URL('../fixtures/recorded-chain', import.meta.url)))
const { genesis } = recording
const blocks = recording.blocks.slice(0, LENGTH)
const lastHeader = blocks.at(-1)?.header
if (lastHeader === undefined) throw new Error('the recording is empty')
const tip = toHex(headerHash(lastHeader.header))
/** The header above the last of the part tells the state root that its execution must give. */
const root = toHex(recording.blocks[LENGTH]?.header.header.appHash ?? new Uint8Array(0))

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

const newKey = () => generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length)))
const quiet = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }

/** An honest peer that has the whole part; resolves with its address. */
async function startHonestPeer(): Promise<string> {
  const kv = createMemoryKv()
  const host = createHost(quiet, {
    nodeKey: newKey(),
    chainId: genesis.chainId,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    peers: [],
    discovery: false,
  })
  const sync = { ...quiet, kv, network: host, genesis }
  const proposers = createProposers(genesis.initialHeight, genesis.proposerAddress)
  const headers = createHeaderSyncService({ ...sync, proposers }, { blockTime: 1_000, aggregator: true })
  const data = createDataSyncService(
    { ...sync, headers: headers.store() },
    { blockTime: 1_000, aggregator: true },
  )
  for (const part of [kv, host, headers, data]) {
    await part.start()
    stops.push(async () => await part.stop())
  }
  await headers.store().append(blocks.map(({ header }) => header))
  await data.store().append(blocks.map((block) => block.data))
  return host.addresses()[0] ?? ''
}

async function startFollower(peers: string[]): Promise<FullNode> {
  const node = createFullNode(
    {
      genesis,
      nodeKey: newKey(),
      kv: createMemoryKv(),
      executor: (kv) => createTestappExecutor({ kv }),
    },
    { listen: ['/ip4/127.0.0.1/tcp/0'], peers, discovery: false, blockTime: 100 },
  )
  await node.start()
  stops.push(async () => await node.stop())
  return node
}

async function executed(node: FullNode, height: number): Promise<void> {
  const done = new Promise<void>((resolve) => {
    const unwatch = node.onBlock((block) => {
      if (block.height < height) return
      unwatch()
      resolve()
    })
    if (node.status().height >= height) resolve()
  })
  const failure = await Promise.race([node.failed, done])
  if (failure instanceof Error) throw failure
}

/** Changes the answer for one height. */
function change(kind: Answer['kind'], how: (body: Uint8Array) => Uint8Array): Lie {
  return (answers) =>
    answers.map((answer) =>
      answer.kind === kind && answer.height === LIED_AT ? { ...answer, body: how(answer.body) } : answer,
    )
}

function flip(body: Uint8Array, at: number): Uint8Array {
  const changed = Uint8Array.from(body)
  changed[at] = (changed[at] ?? 0) ^ 1
  return changed
}

/** From `LIED_AT` on, well-formed headers of a stranger that link to the honest ones below. */
const strangerSeed = new Uint8Array(32).fill(77)
const strangerHeaders = blocks.slice(LIED_AT - 1).reduce<SignedHeader[]>((made, block) => {
  const below = made.at(-1)
  const { address } = signerOfSeed(strangerSeed)
  const { header: honest } = block.header
  const lastHeaderHash = below === undefined ? honest.lastHeaderHash : headerHash(below.header)
  return [...made, signHeader({ ...honest, lastHeaderHash, proposerAddress: address }, strangerSeed)]
}, [])

const header = decodeP2PSignedHeader
const data = decodeP2PData

const lies: readonly (readonly [name: string, lie: Lie])[] = [
  ['a flipped bit in the header', change('headerSync', (body) => flip(body, 40))],
  [
    'a flipped bit in the app hash',
    change('headerSync', (body) => editHeader(body, { appHash: flip(header(body).header.appHash, 3) })),
  ],
  [
    'a flipped bit in the signature',
    change('headerSync', (body) =>
      encodeP2PSignedHeader({ ...header(body), signature: flip(header(body).signature, 9) }),
    ),
  ],
  [
    'a flipped bit in the signer',
    change('headerSync', (body) => {
      const item = header(body)
      return encodeP2PSignedHeader({
        ...item,
        signer: { ...item.signer, publicKey: flip(item.signer.publicKey, 20) },
      })
    }),
  ],
  [
    'a broken link',
    change('headerSync', (body) => editHeader(body, { lastHeaderHash: new Uint8Array(32).fill(7) })),
  ],
  ['another height', change('headerSync', (body) => editHeader(body, { height: LIED_AT + 1 }))],
  ['another time', change('headerSync', (body) => editHeader(body, { time: header(body).header.time + 1n }))],
  ['another chain', change('headerSync', (body) => editHeader(body, { chainId: 'other' }))],
  [
    'the header of another height',
    (answers) =>
      answers.map((answer) =>
        answer.kind === 'headerSync' && answer.height === LIED_AT
          ? { ...answer, body: answers[0]?.body ?? answer.body }
          : answer,
      ),
  ],
  [
    "a stranger's chain from a height on",
    (answers) =>
      answers.map((answer) => {
        const forged = answer.kind === 'headerSync' ? strangerHeaders[answer.height - LIED_AT] : undefined
        return forged === undefined ? answer : { ...answer, body: encodeP2PSignedHeader(forged) }
      }),
  ],
  ['bytes that are no header', change('headerSync', () => Uint8Array.of(0xff, 0xff, 0xff))],
  ['nothing in the body', change('headerSync', () => new Uint8Array(0))],
  [
    'a changed transaction',
    change('dataSync', (body) => encodeP2PData({ ...data(body), txs: [Uint8Array.of(1)] })),
  ],
  [
    'a transaction too many',
    change('dataSync', (body) =>
      encodeP2PData({ ...data(body), txs: [...data(body).txs, Uint8Array.of(1)] }),
    ),
  ],
  ['a missing transaction', change('dataSync', (body) => encodeP2PData({ ...data(body), txs: [] }))],
  [
    'another link of the data',
    change('dataSync', (body) => editData(body, { lastDataHash: new Uint8Array(32).fill(7) })),
  ],
  ['another time of the data', change('dataSync', (body) => editData(body, { time: 1n }))],
  ['short answers', (answers) => answers.slice(0, 3)],
  ['answers in reverse', (answers) => answers.toReversed()],
  ['answers with a gap', (answers) => answers.filter(({ height }) => height % 5 !== 0)],
  [
    'answers with one twice',
    (answers) => answers.flatMap((answer) => (answer.height % 7 === 0 ? [answer, answer] : [answer])),
  ],
  ['more than was asked', (answers) => [...answers, ...answers]],
  ['empty answers', () => []],
  ['no answer at all', () => 'stall'],
  ['resets', () => 'reset'],
]

function editHeader(body: Uint8Array, edit: Partial<ReturnType<typeof header>['header']>): Uint8Array {
  const item = header(body)
  return encodeP2PSignedHeader({ ...item, header: { ...item.header, ...edit } })
}

function editData(
  body: Uint8Array,
  edit: Partial<NonNullable<ReturnType<typeof data>['metadata']>>,
): Uint8Array {
  const item = data(body)
  if (item.metadata === undefined) throw new Error('the recording has data without metadata')
  return encodeP2PData({ ...item, metadata: { ...item.metadata, ...edit } })
}

test('the lies are told where there is something to lie about', () => {
  expect(blocks[LIED_AT - 1]?.data.txs.length).toBeGreaterThan(0)
})

describe('beside a peer that lies, the chain syncs from an honest one', () => {
  test.each(lies)('%s', async (_, lie) => {
    const liar = await startLyingPeer(genesis.chainId, blocks, lie)
    stops.push(async () => await liar.stop())
    const follower = await startFollower([])
    // The liar comes first and uninvited: the follower has nobody else to ask.
    await liar.host.dial(follower.addresses()[0] ?? '')
    const honest = await startHonestPeer()
    await follower.dial(honest)
    await executed(follower, LENGTH)
    const { height, lastHeaderHash, stateRoot } = follower.status()
    expect({ height, tip: toHex(lastHeaderHash), root: toHex(stateRoot) }).toEqual({
      height: LENGTH,
      tip,
      root,
    })
    expect(liar.answered).toBeGreaterThan(0)
  })
})

test('what a stranger says by gossip is neither stored nor relayed nor a target', async () => {
  const honest = await startHonestPeer()
  const follower = await startFollower([honest])
  const bystander = await startLyingPeer(genesis.chainId, [], () => [])
  const liar = await startLyingPeer(genesis.chainId, [], () => [])
  stops.push(async () => await liar.stop())
  stops.push(async () => await bystander.stop())
  const heard: Uint8Array[] = []
  const kinds = ['headerSync', 'dataSync'] as const
  const topics = []
  for (const kind of kinds) {
    await bystander.host.join(gossipTopic(genesis.chainId, kind), async ({ data: message }) => {
      heard.push(message)
      return 'accept'
    })
    topics.push(await liar.host.join(gossipTopic(genesis.chainId, kind), async () => 'accept'))
  }
  const address = follower.addresses()[0] ?? ''
  await bystander.host.dial(address)
  await liar.host.dial(address)
  await executed(follower, LENGTH)

  const farAhead = signHeader(
    { ...lastHeader.header, height: 2 ** 40, proposerAddress: signerOfSeed(strangerSeed).address },
    strangerSeed,
  )
  const next = signHeader(
    {
      ...lastHeader.header,
      height: LENGTH + 1,
      lastHeaderHash: headerHash(lastHeader.header),
      proposerAddress: signerOfSeed(strangerSeed).address,
    },
    strangerSeed,
  )
  const forgedData = {
    metadata: { chainId: genesis.chainId, height: LENGTH + 1, time: 5n, lastDataHash: new Uint8Array(32) },
    txs: [Uint8Array.of(1)],
  }
  const [headerTopic, dataTopic] = topics
  const published = [
    await headerTopic?.publish(encodeP2PSignedHeader(farAhead)),
    await headerTopic?.publish(encodeP2PSignedHeader(next)),
    await headerTopic?.publish(Uint8Array.of(1, 2, 3)),
    await dataTopic?.publish(encodeP2PData(forgedData)),
    await dataTopic?.publish(Uint8Array.of(255)),
  ]
  expect(published).toEqual([1, 1, 1, 1, 1])

  // An honest block after them shows that all were judged: messages of one peer come in order.
  const real = recording.blocks[LENGTH]
  if (real === undefined) throw new Error('the recording is too short')
  await headerTopic?.publish(encodeP2PSignedHeader(real.header))
  await dataTopic?.publish(encodeP2PData(real.data))
  await executed(follower, LENGTH + 1)
  expect(follower.status()).toMatchObject({
    height: LENGTH + 1,
    headerHeight: LENGTH + 1,
    targetHeight: LENGTH + 1,
  })
  expect(heard.map((message) => message.length).filter((length) => length < 10)).toEqual([])
  for (const message of heard) {
    expect([toHex(encodeP2PSignedHeader(real.header)), toHex(encodeP2PData(real.data))]).toContain(
      toHex(message),
    )
  }
})
