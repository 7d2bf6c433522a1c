/*
 * How long a new block takes at the tip: from the aggregator's commit, which is before anybody can hear of it, until
 * followers have executed it, over P2P alone, every node a process of its own on this machine. All moments are read
 * from the machine's one clock.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { signingKeyOf } from '../src/signer/file.node.ts'
import { formatGenesis } from '../src/types/genesis.ts'
import { EMPTY_BYTES, fromHex, toHex } from '../src/util/bytes.ts'
import { type Child, forkProcess } from './child.ts'
import { startGo } from './go.ts'
import type { BenchContext, BenchPart, Figure, Table } from './part.ts'
import { type Moment, STAGES, type Stage, type TipMessage, type TipOrder } from './tip-messages.ts'

const BLOCK_TIME = 100
const FOLLOWERS = 20
const TXS_PER_SECOND = 100
/** With the application of the Go full node, which executes its whole journal again for every block. */
const GO_TXS_PER_SECOND = 10
const SECONDS = 10
/** Nodes that start at the same time. */
const STARTING = 4
const GOAL = 10
const MIB = 2 ** 20

type Moments = Extract<TipMessage, { type: 'moments' }>

/** A node in its process. */
interface TipNode {
  readonly child: Child<TipMessage>
  readonly addresses: readonly string[]
  tell(): Promise<Moments>
}

/** An aggregator, and what its followers need to know. */
interface Network {
  readonly aggregator: TipNode
  readonly order: TipOrder
  readonly folder: string
}

/** What happened in a span of time: where each block was when, in the aggregator and in each follower. */
interface Observed {
  readonly heights: readonly number[]
  readonly aggregator: Moments
  readonly followers: readonly Moments[]
  /** CPU seconds in that span. */
  readonly aggregatorCpu: number
  readonly followersCpu: number
}

/** The benchmark `tip`. */
export const tip: BenchPart = {
  name: 'tip',
  about: 'from the commit of a block to its execution by followers',
  async run(context) {
    const tables = await withFollowers(context)
    if (context.go !== undefined) tables.push(await besideGo(context))
    return tables
  },
}

async function withFollowers(context: BenchContext): Promise<Table[]> {
  const network = await startNetwork(context, { app: 'kv', txsPerSecond: TXS_PER_SECOND })
  const followers: TipNode[] = []
  const tables: Table[] = []
  for (const count of [1, FOLLOWERS]) {
    context.log(`tip, followers: ${count}`)
    while (followers.length < count) {
      const starting = Math.min(STARTING, count - followers.length)
      followers.push(
        ...(await Promise.all(
          Array.from(
            { length: starting },
            async (_, index) => await follow(network, followers.length + index),
          ),
        )),
      )
    }
    const observed = await observe(network, followers)
    tables.push({
      title: `at the tip: ${count} ${count === 1 ? 'follower' : 'followers'}, ${BLOCK_TIME} ms block time, ${TXS_PER_SECOND} tx/s`,
      figures: figuresOf(observed, context, Math.max(...followers.map(({ child }) => child.peakMemory()))),
      notes: [
        'from the commit at the aggregator; all followers are connected to it alone, each a process of its own on this machine',
      ],
    })
  }
  for (const { child } of [...followers, network.aggregator]) await child.stop()
  return tables
}

async function besideGo(context: BenchContext): Promise<Table> {
  context.log('tip, beside a full node of ev-node v1.0.0-beta.11')
  const network = await startNetwork(context, { app: 'testapp', txsPerSecond: GO_TXS_PER_SECOND })
  const ours = await follow(network, 0)
  const genesis = join(network.folder, 'genesis.json')
  writeFileSync(genesis, network.order.genesis)
  const executed: Moment[] = []
  const atTip = Promise.withResolvers<void>()
  const go = await startGo(
    'beta11',
    'full',
    {
      home: join(network.folder, 'go'),
      genesis,
      peers: network.order.peers.join(','),
      'block-time': `${BLOCK_TIME}ms`,
      seed: 3,
    },
    ({ event, height, at }) => {
      if (event !== 'executed') return
      const told = executed.at(-1)
      // It is at the tip when its blocks come no faster than they are made.
      if (told !== undefined && at - told[1] > BLOCK_TIME / 2) atTip.resolve()
      executed.push([height, at])
    },
  )
  await atTip.promise
  const observed = await observe(network, [ours])
  const { heights, aggregator } = observed
  const ofGo = delays(heights, aggregator.moments.saved, executed)
  const ofUs = stageDelays(observed, 'executed')
  await go.stop()
  for (const { child } of [ours, network.aggregator]) await child.stop()
  return {
    title: `at the tip: our follower and a Go full node (v1.0.0-beta.11) of our aggregator, ${BLOCK_TIME} ms block time, ${GO_TXS_PER_SECOND} tx/s`,
    figures: [
      { name: 'ours, executed, p50', value: part(ofUs, 0.5), unit: 'ms', goal: { atMost: GOAL } },
      { name: 'ours, executed, p99', value: part(ofUs, 0.99), unit: 'ms' },
      { name: 'Go, executed, p50', value: part(ofGo, 0.5), unit: 'ms' },
      { name: 'Go, executed, p99', value: part(ofGo, 0.99), unit: 'ms' },
      { name: 'times as fast, p50', value: part(ofGo, 0.5) / part(ofUs, 0.5), unit: '×' },
    ],
    notes: ['both tell the moment at which their application has executed the block: nothing is polled for'],
  }
}

async function startNetwork(
  context: BenchContext,
  what: Pick<TipOrder, 'app' | 'txsPerSecond'>,
): Promise<Network> {
  const folder = join(context.scratch, what.app)
  mkdirSync(folder)
  // A machine signs with a key in one process only, and another run may go on.
  const proposerSeed = toHex(crypto.getRandomValues(new Uint8Array(32)))
  const genesis = formatGenesis({
    chainId: `bench-tip-${what.app}`,
    startTime: BigInt(Date.now()) * 1_000_000n,
    initialHeight: 1,
    proposerAddress: signingKeyOf(fromHex(proposerSeed) ?? EMPTY_BYTES).address,
    daStartHeight: 0,
    daEpochForcedInclusion: 50,
  })
  const order = { ...what, genesis, peers: [], blockTime: BLOCK_TIME }
  const aggregator = await startNode({ ...order, home: join(folder, 'aggregator'), proposerSeed })
  return {
    aggregator,
    folder,
    order: { ...order, home: folder, peers: aggregator.addresses, txsPerSecond: 0 },
  }
}

/** Starts a follower; resolves when it is at the tip. */
async function follow({ order, folder }: Network, index: number): Promise<TipNode> {
  const node = await startNode({ ...order, home: join(folder, `follower-${index}`) })
  await node.child.message((message): message is TipMessage & { type: 'tip' } => message.type === 'tip')
  return node
}

async function startNode(order: TipOrder): Promise<TipNode> {
  const child = forkProcess<TipMessage>('tip-node', order)
  const { addresses } = await child.message(
    (message): message is TipMessage & { type: 'started' } => message.type === 'started',
  )
  return {
    child,
    addresses,
    async tell() {
      child.send({ tell: true })
      return await child.message((message): message is Moments => message.type === 'moments')
    },
  }
}

/** Lets blocks be made for a while. */
async function observe({ aggregator }: Network, followers: readonly TipNode[]): Promise<Observed> {
  const all = [aggregator, ...followers]
  const before = await Promise.all(all.map(async (node) => await node.tell()))
  await wait(5 * BLOCK_TIME)
  const begun = performance.timeOrigin + performance.now()
  await wait(SECONDS * 1_000)
  const ended = performance.timeOrigin + performance.now()
  await wait(5 * BLOCK_TIME)
  const [maker, ...others] = await Promise.all(all.map(async (node) => await node.tell()))
  if (maker === undefined) throw new Error('no aggregator')
  return {
    heights: maker.moments.saved.filter(([, at]) => at >= begun && at < ended).map(([height]) => height),
    aggregator: maker,
    followers: others,
    aggregatorCpu: maker.cpu - (before[0]?.cpu ?? 0),
    followersCpu: others.reduce((sum, { cpu }, index) => sum + cpu - (before[index + 1]?.cpu ?? 0), 0),
  }
}

/** Milliseconds, ascending, from one stage of each height to another; where several heights came at once, to that. */
function delays(heights: readonly number[], from: readonly Moment[], to: readonly Moment[]): number[] {
  const begun = new Map(from)
  let next = 0
  return heights
    .map((height) => {
      while ((to[next]?.[0] ?? Infinity) < height) next++
      const at = to[next]?.[1]
      const since = begun.get(height)
      if (at === undefined || since === undefined) throw new Error(`nobody told of block ${height}`)
      return at - since
    })
    .toSorted((a, b) => a - b)
}

function stageDelays({ heights, aggregator, followers }: Observed, stage: Stage): number[] {
  return followers
    .flatMap(({ moments }) => delays(heights, aggregator.moments.saved, moments[stage]))
    .toSorted((a, b) => a - b)
}

function part(sorted: readonly number[], share: number): number {
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
}

const NAMES: Readonly<Record<Stage, string>> = {
  header: 'header stored',
  data: 'data stored',
  executed: 'executed',
  saved: 'block saved',
}

function figuresOf(observed: Observed, { limits }: BenchContext, memory: number): Figure[] {
  const { heights, followers, aggregatorCpu, followersCpu } = observed
  // Blocks are made before and after the span that is looked at, too.
  const blocks = (heights.length * (SECONDS * 1_000 + 10 * BLOCK_TIME)) / (SECONDS * 1_000)
  const perFollower = (followersCpu * 1_000) / blocks / followers.length
  const figures = STAGES.flatMap((stage): Figure[] => {
    const sorted = stageDelays(observed, stage)
    const name = NAMES[stage]
    const goal = stage === 'executed' ? { goal: { atMost: GOAL } } : {}
    return [
      { name: `${name}, p50`, value: part(sorted, 0.5), unit: 'ms', ...goal },
      { name: `${name}, p99`, value: part(sorted, 0.99), unit: 'ms' },
    ]
  })
  return [
    ...figures,
    { name: 'aggregator, CPU for a block', value: (aggregatorCpu * 1_000) / blocks, unit: 'ms' },
    { name: 'follower, CPU for a block', value: perFollower, unit: 'ms' },
    {
      name: 'half of all followers, CPU for a block on all cores',
      value: (perFollower * followers.length) / 2 / limits.cores,
      unit: 'ms',
    },
    { name: 'largest follower, peak memory', value: memory / MIB, unit: 'MiB' },
  ]
}
