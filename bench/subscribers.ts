/*
 * What subscribers cost: an aggregator makes blocks, first alone, then before 1,000 subscribers of another process, each
 * with a connection of its own.
 */
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { signingKeyOf } from '../src/signer/file.node.ts'
import { formatGenesis } from '../src/types/genesis.ts'
import { toHex } from '../src/util/bytes.ts'
import { type Child, forkProcess } from './child.ts'
import type { BenchContext, BenchPart, Table } from './part.ts'
import type { PostOrder, Posted, ProduceMessage, ProduceOrder, Ready, Window } from './produce-messages.ts'
import type { Subscribed, SubscribeMessage, SubscribeOrder, Told } from './subscribe-messages.ts'

const COUNT = 1_000
const STUCK = 10
const MIB = 2 ** 20

interface Case {
  readonly name: string
  readonly title: string
  readonly order: Pick<ProduceOrder, 'blockTime' | 'load' | 'endpoint'>
  /** Transactions posted over HTTP each second. */
  readonly post?: number
  /** Milliseconds that are looked at without subscribers, and with them. */
  readonly alone: number
  readonly window: number
  readonly goals: boolean
}

const CASES: readonly Case[] = [
  {
    name: 'beat',
    title: 'a block every 100 ms, 100 transactions a second',
    order: { blockTime: 100, load: 'none', endpoint: true },
    post: 100,
    alone: 15_000,
    window: 60_000,
    goals: true,
  },
  {
    name: 'load',
    title: 'a block every 100 ms, as many transactions as are taken',
    order: { blockTime: 100, load: 'embedded' },
    alone: 15_000,
    window: 45_000,
    goals: false,
  },
]

/** The benchmark `subscribers`. `BENCH_SUBSCRIBERS=beat` measures only this. */
export const subscribers: BenchPart = {
  name: 'subscribers',
  about: `making blocks without and with ${COUNT} subscribers, and when they hear of them`,
  async run(context) {
    const only = process.env['BENCH_SUBSCRIBERS']?.split(',')
    const tables: Table[] = []
    for (const one of CASES) {
      if (only?.includes(one.name) ?? true) tables.push(await measure(one, context))
    }
    return tables
  },
}

async function windowOf(
  node: Child<ProduceMessage>,
  ms: number,
): Promise<{ readonly window: Window; readonly cpu: number }> {
  const before = node.cpu()
  node.send({ window: ms })
  const window = await node.message((message): message is Window => 'at' in message)
  return { window, cpu: ((node.cpu() - before) * 1_000) / ms }
}

async function measure(one: Case, context: BenchContext): Promise<Table> {
  context.log(one.title)
  const seed = crypto.getRandomValues(new Uint8Array(32))
  const order: ProduceOrder = {
    role: 'aggregator',
    home: join(context.scratch, one.name),
    genesis: formatGenesis({
      chainId: 'bench',
      startTime: BigInt(Date.now()) * 1_000_000n,
      initialHeight: 1,
      proposerAddress: signingKeyOf(seed).address,
      daStartHeight: 0,
      daEpochForcedInclusion: 50,
    }),
    proposerSeed: toHex(seed),
    peers: [],
    rpc: true,
    ...one.order,
  }
  const node = forkProcess<ProduceMessage>('produce', order)
  const { endpoint, rpc } = await node.message((message): message is Ready => 'addresses' in message)
  const posts: PostOrder = { endpoint, rate: one.post ?? 0 }
  const others: Child<object>[] = one.post === undefined ? [] : [forkProcess<Posted>('post-txs', posts)]
  await wait(3_000)
  const alone = await windowOf(node, one.alone)
  const subscribe: SubscribeOrder = { url: rpc, count: COUNT, stuck: STUCK }
  const crowd = forkProcess<SubscribeMessage>('subscribe', subscribe)
  await crowd.message((message): message is Subscribed => 'subscribed' in message)
  context.log(`${COUNT} subscribers`)
  const crowdBefore = crowd.cpu()
  const before = await windowOf(node, one.window)
  const crowdCpu = ((crowd.cpu() - crowdBefore) * 1_000) / one.window
  // What was saved last is still on its way.
  await wait(5_000)
  crowd.send({ from: before.window.from, at: before.window.at })
  const told = await crowd.message((message): message is Told => 'events' in message)
  await crowd.stop()
  // The pace changes by itself while the state grows: what it is alone is looked at before and after.
  const after = await windowOf(node, one.alone)
  const memory = node.peakMemory()
  for (const child of [...others, node]) await child.stop()

  const rate = (count: number, ms: number): number => (count * 1_000) / ms
  const blocksOf = ({ at, ms }: Window): number => rate(at.length, ms)
  const txsOf = ({ txs, ms }: Window): number => rate(txs, ms)
  const aloneMean = (of: (window: Window) => number): number => (of(alone.window) + of(after.window)) / 2
  const blocks = blocksOf(before.window)
  const kept = (blocks * 100) / aloneMean(blocksOf)
  return {
    title: `subscribers: ${one.title}`,
    figures: [
      { name: 'blocks/s alone, before', value: blocksOf(alone.window), unit: '/s' },
      { name: `blocks/s before ${COUNT} subscribers`, value: blocks, unit: '/s' },
      { name: 'blocks/s alone, after', value: blocksOf(after.window), unit: '/s' },
      { name: 'of the pace alone', value: kept, unit: '%', ...(one.goals && { goal: { atLeast: 90 } }) },
      { name: 'transactions/s alone, before', value: txsOf(alone.window), unit: '/s' },
      { name: `transactions/s before ${COUNT} subscribers`, value: txsOf(before.window), unit: '/s' },
      { name: 'transactions/s alone, after', value: txsOf(after.window), unit: '/s' },
      { name: 'events', value: told.events, unit: '' },
      { name: 'events that did not come', value: told.missing, unit: '', goal: { atMost: 0 } },
      { name: 'subscribers lost', value: told.ended, unit: '', goal: { atMost: 0 } },
      { name: 'from saved to heard, median', value: told.median, unit: 'ms' },
      { name: 'from saved to heard, 99 %', value: told.most, unit: 'ms' },
      {
        name: `${STUCK} subscribers that read nothing: dropped`,
        value: before.window.dropped ?? 0,
        unit: '',
      },
      { name: 'aggregator, CPU in cores, alone', value: alone.cpu, unit: '' },
      { name: `aggregator, CPU in cores, before ${COUNT} subscribers`, value: before.cpu, unit: '' },
      { name: 'subscribers, CPU in cores', value: crowdCpu, unit: '' },
      { name: 'aggregator, peak memory', value: memory / MIB, unit: 'MiB' },
    ],
  }
}
