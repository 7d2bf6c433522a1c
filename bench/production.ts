/*
 * How fast an aggregator makes blocks, alone and before followers: one block right after the other, full of small
 * transactions, and on the beat of a short block time.
 */
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../src/node/devnet/homes.ts'
import { signingKeyOf } from '../src/signer/file.node.ts'
import { formatGenesis } from '../src/types/genesis.ts'
import { toHex } from '../src/util/bytes.ts'
import { type Child, forkProcess } from './child.ts'
import type { BenchContext, BenchPart, Figure, Table } from './part.ts'
import type {
  PostOrder,
  Posted,
  ProduceMessage,
  ProduceOrder,
  Question,
  Ready,
  Standing,
  Window,
} from './produce-messages.ts'

const MIB = 2 ** 20
/** Synced writes that each block waits for: the block before with this one's record, and the ledger. */
const SYNCS = 2
const BEAT = 10
const BEAT_TXS = 1_000

/** What a network is, and how long it is looked at in milliseconds. */
interface Case {
  readonly name: string
  readonly title: string
  readonly followers: number
  readonly order: Partial<ProduceOrder>
  /** Transactions posted over HTTP each second, 0 for as many as are answered; none when left out. */
  readonly post?: number
  readonly da?: boolean
  readonly warmUp: number
  readonly window: number
  readonly goals: { readonly blocks?: number; readonly txs?: number }
}

const CASES: readonly Case[] = [
  {
    name: 'alone',
    title: 'block time 0, blocks without transactions, alone',
    followers: 0,
    order: { blockTime: 0 },
    warmUp: 2_000,
    window: 5_000,
    goals: { blocks: 1_000 },
  },
  {
    name: 'follower',
    title: 'block time 0, blocks without transactions, with a follower',
    followers: 1,
    order: { blockTime: 0 },
    warmUp: 2_000,
    window: 5_000,
    goals: {},
  },
  {
    name: 'txs',
    title: 'block time 0, as many small transactions as are taken, alone',
    followers: 0,
    order: { blockTime: 0, load: 'embedded' },
    warmUp: 3_000,
    window: 6_000,
    goals: { txs: 20_000 },
  },
  {
    name: 'txs-follower',
    title: 'block time 0, as many small transactions as are taken, with a follower',
    followers: 1,
    order: { blockTime: 0, load: 'embedded' },
    warmUp: 3_000,
    window: 6_000,
    goals: {},
  },
  {
    name: 'http',
    title: 'block time 0, small transactions over HTTP, one a request, alone',
    followers: 0,
    order: { blockTime: 0, endpoint: true },
    post: 0,
    warmUp: 2_000,
    window: 5_000,
    goals: {},
  },
  {
    name: 'beat',
    title: `block time ${BEAT} ms, ${BEAT_TXS} transactions a second over HTTP, with a follower and DA`,
    followers: 1,
    order: { blockTime: BEAT, endpoint: true },
    post: BEAT_TXS,
    da: true,
    warmUp: 3_000,
    window: 10_000,
    goals: { blocks: 97, txs: 970 },
  },
]

/** The benchmark `production`. `BENCH_PRODUCTION=alone,txs` measures only these. */
export const production: BenchPart = {
  name: 'production',
  about: 'blocks and transactions a second of an aggregator, with and without followers',
  async run(context) {
    const only = process.env['BENCH_PRODUCTION']?.split(',')
    const tables: Table[] = []
    for (const one of CASES) {
      if (only?.includes(one.name) ?? true) tables.push(await measure(one, context))
    }
    return tables
  },
}

type Node = Child<ProduceMessage>

async function standing(node: Node): Promise<number> {
  const question: Question = { height: true }
  node.send(question)
  return (await node.message((message): message is Standing => 'height' in message)).height
}

async function windowOf(node: Node, ms: number): Promise<Window> {
  const question: Question = { window: ms }
  node.send(question)
  return await node.message((message): message is Window => 'at' in message)
}

async function measure(one: Case, context: BenchContext): Promise<Table> {
  context.log(one.title)
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const folder = join(context.scratch, one.name)
  const daPort = one.da === true ? await freePort() : 0
  const shared = {
    genesis: formatGenesis({
      chainId: 'bench',
      startTime: BigInt(Date.now()) * 1_000_000n,
      initialHeight: 1,
      proposerAddress: signingKeyOf(seed).address,
      daStartHeight: 0,
      daEpochForcedInclusion: 50,
    }),
    proposerSeed: toHex(seed),
    blockTime: BEAT,
    load: 'none',
    ...one.order,
    ...(one.da === true && {
      daAddress: `http://127.0.0.1:${daPort}`,
      da: { namespace: 'bench-headers', dataNamespace: 'bench-data', blockTime: 1_000 },
    }),
  } satisfies Partial<ProduceOrder>
  const start = async (order: Pick<ProduceOrder, 'role' | 'home' | 'peers'>): Promise<[Node, Ready]> => {
    const whole: ProduceOrder = { ...shared, ...order }
    const node: Node = forkProcess<ProduceMessage>('produce', whole)
    return [node, await node.message((message): message is Ready => 'addresses' in message)]
  }
  const others: Child<object>[] = []
  if (one.da === true) {
    const da = forkProcess<object>('local-da', { home: join(folder, 'da'), port: daPort, blockTime: 1_000 })
    await da.message((message): message is object => 'type' in message)
    others.push(da)
  }
  const [aggregator, ready] = await start({ role: 'aggregator', home: join(folder, 'aggregator'), peers: [] })
  const followers: Node[] = []
  for (let index = 0; index < one.followers; index++) {
    const home = join(folder, `follower-${index}`)
    followers.push((await start({ role: 'follower', home, peers: ready.addresses }))[0])
  }
  if (one.post !== undefined) {
    const order: PostOrder = { endpoint: ready.endpoint, rate: one.post }
    others.push(forkProcess<Posted>('post-txs', order))
  }
  await wait(one.warmUp)
  const nodes = [aggregator, ...followers]
  const before = nodes.map((node) => node.cpu())
  const [made, ...followed] = await Promise.all(nodes.map(async (node) => await windowOf(node, one.window)))
  if (made === undefined) throw new Error('no aggregator')
  const cpu = nodes.map((node, index) => ((node.cpu() - (before[index] ?? 0)) * 1_000) / one.window)
  const behind = await Promise.all(
    followers.map(async (node) => (await standing(aggregator)) - (await standing(node))),
  )
  const memory = nodes.map((node) => node.peakMemory())
  for (const child of [...others.toReversed(), ...followers, aggregator]) await child.stop()
  const figures: Figure[] = [
    {
      name: 'blocks/s',
      value: (made.at.length * 1_000) / made.ms,
      unit: '/s',
      ...(one.goals.blocks !== undefined && { goal: { atLeast: one.goals.blocks } }),
      ...(one.order.blockTime === 0 && {
        limit: { value: context.limits.syncedWrites / SYNCS, by: 'synced writes' },
      }),
    },
  ]
  if (made.txs > 0) {
    figures.push({
      name: 'transactions/s in saved blocks',
      value: (made.txs * 1_000) / made.ms,
      unit: '/s',
      ...(one.goals.txs !== undefined && { goal: { atLeast: one.goals.txs } }),
    })
  }
  figures.push(
    { name: 'aggregator, CPU in cores', value: cpu[0] ?? 0, unit: '' },
    { name: 'aggregator, peak memory', value: (memory[0] ?? 0) / MIB, unit: 'MiB' },
  )
  for (const [index, window] of followed.entries()) {
    figures.push(...followerFigures(made, window, behind[index] ?? 0), {
      name: 'follower, CPU in cores',
      value: cpu[index + 1] ?? 0,
      unit: '',
    })
  }
  return { title: `production: ${one.title}`, figures }
}

function followerFigures(made: Window, followed: Window, behind: number): Figure[] {
  const lags = followed.at
    .map((at, index) => at - (made.at[followed.from + index - made.from] ?? at))
    .toSorted((a, b) => a - b)
  const lag = (part: number): number => lags[Math.floor((lags.length - 1) * part)] ?? 0
  return [
    { name: 'follower, blocks/s', value: (followed.at.length * 1_000) / followed.ms, unit: '/s' },
    { name: 'follower, blocks behind at the end', value: behind, unit: '' },
    { name: 'follower, behind the aggregator, median', value: lag(0.5), unit: 'ms' },
    { name: 'follower, behind the aggregator, 99 %', value: lag(0.99), unit: 'ms' },
  ]
}
