/*
 * How fast a new node catches up from DA alone: from an empty home to the end of the chain, without peers, all that is
 * posted checked and every block executed. And what DA heights in flight give when every answer takes 100 ms.
 */
import { join } from 'node:path'
import type { ChainPlan, GeneratedChain } from './chain.ts'
import { type Child, forkProcess } from './child.ts'
import type { DaManners, DaMannersSet, FollowDaResult, ServedDa } from './da-messages.ts'
import type { BenchContext, BenchPart, Figure, Table } from './part.ts'
import { formatNumber } from './report.ts'

/** Blocks a second of the Go follower (v1.2.3) from a local DA with as many blocks in a DA block. */
const GO_BLOCKS_PER_SECOND = 4_000
const MIB = 2 ** 20
/** Blocks in a DA block: a block a 50 ms, and what Celestia's block time makes of it. */
const DENSE = 118
/** With fewer, the way to DA counts and not the work: a block a half second. */
const SPARSE = 12
const LATENCY = 100
const SPARSE_HEIGHTS = 300
/** DA heights that the reader without heights in flight is measured on. */
const SEQUENTIAL_HEIGHTS = 60

const EMPTY: ChainPlan = { filling: 'empty', blocks: 20_000 }
const SMALL: ChainPlan = { filling: 'small', blocks: 10_000 }

/** A DA process, which is told how to answer. */
interface Da extends ServedDa {
  readonly child: Child<ServedDa | DaMannersSet>
  /** Sets its manners; tells the calls so far. */
  behave(manners: DaManners): Promise<number>
}

/** A node's way to the end of a chain. */
interface Reading extends FollowDaResult {
  readonly cpu: number
  readonly memory: number
  /** DA calls it made. */
  readonly calls: number
}

/** The benchmark `da`. */
export const da: BenchPart = {
  name: 'da',
  about: 'a new node from an empty home to the tip, from DA alone',
  async run(context) {
    const tables: Table[] = []
    for (const plan of [EMPTY, SMALL]) tables.push(await catchUp(plan, context))
    tables.push(await farAway(context))
    return tables
  },
}

async function serve(chain: GeneratedChain, blocks: number, perHeight: number): Promise<Da> {
  const child = forkProcess<ServedDa | DaMannersSet>('serve-da', {
    home: chain.home,
    genesis: chain.genesis,
    blocks,
    perHeight,
  })
  const served = await child.message((message): message is ServedDa => 'address' in message)
  return {
    ...served,
    child,
    async behave(manners) {
      child.send(manners)
      const { calls } = await child.message((message): message is DaMannersSet => 'set' in message)
      return calls
    },
  }
}

async function read(
  context: BenchContext,
  source: Da,
  manners: DaManners,
  order: { readonly genesis: string; readonly target: number; readonly parallel?: number },
): Promise<Reading> {
  const before = await source.behave(manners)
  const home = join(context.scratch, crypto.randomUUID())
  const follower = forkProcess<FollowDaResult>('follow-da', { ...order, home, address: source.address })
  const result = await follower.message((message): message is FollowDaResult => message.done)
  const cpu = follower.cpu()
  const memory = follower.peakMemory()
  const calls = (await source.behave(manners)) - before
  await follower.stop()
  if (result.height < order.target) throw new Error(`the follower ended early, at ${result.height}`)
  if (result.transport !== (manners.webSocket ? 'websocket' : 'http')) {
    throw new Error(`the follower spoke ${result.transport} to DA`)
  }
  return { ...result, cpu, memory, calls }
}

async function catchUp(plan: ChainPlan, context: BenchContext): Promise<Table> {
  const { filling, blocks } = plan
  const chain = await context.chains.get(plan)
  context.log(`putting ${blocks} blocks (${filling}) on DA, ${DENSE} in a DA block`)
  const source = await serve(chain, blocks, DENSE)
  context.log('catching up')
  const cpuBefore = source.child.cpu()
  const run = await read(
    context,
    source,
    { latency: 0, webSocket: true },
    { genesis: chain.genesis, target: blocks },
  )
  const serverCpu = source.child.cpu() - cpuBefore
  await source.child.stop()
  if (run.stateRoot !== chain.stateRoot || run.lastHeaderHash !== chain.lastHeaderHash) {
    throw new Error('the follower ended on another block than the chain')
  }
  const checks = filling === 'empty' ? 2 : 3
  const limit = {
    value: context.limits.verifications / checks,
    by: `${checks} signature checks a block, all cores`,
  }
  const perSecond = (ms: number): number => (blocks * 1_000) / ms
  const figures: Figure[] = [
    {
      name: 'blocks/s, with start-up',
      value: perSecond(run.blocksMs),
      unit: '/s',
      goal: { atLeast: GO_BLOCKS_PER_SECOND },
      limit,
    },
    { name: 'blocks/s into the stores, with start-up', value: perSecond(run.dataMs), unit: '/s', limit },
    { name: 'start-up', value: run.readyMs, unit: 'ms' },
    { name: 'DA heights/s, with start-up', value: (source.heights * 1_000) / run.blocksMs, unit: '/s' },
    { name: 'calls for a DA height', value: run.calls / source.heights, unit: '' },
    { name: 'follower, CPU for 1,000 blocks', value: (run.cpu * 1_000) / blocks, unit: 's' },
    { name: 'DA, CPU for 1,000 blocks', value: (serverCpu * 1_000) / blocks, unit: 's' },
    { name: 'follower, peak memory', value: run.memory / MIB, unit: 'MiB', goal: { atMost: 400 } },
  ]
  return { title: `catch-up from DA: ${formatNumber(blocks)} blocks, ${filling}`, figures }
}

/** Blocks a second after the start-up. */
function pace(run: Reading, blocks: number): number {
  return (blocks * 1_000) / (run.blocksMs - run.readyMs)
}

async function farAway(context: BenchContext): Promise<Table> {
  const chain = await context.chains.get(EMPTY)
  const { genesis } = chain
  const figures: Figure[] = []
  const far = { latency: LATENCY, webSocket: true }

  const sparse = await serve(chain, SPARSE * SPARSE_HEIGHTS, SPARSE)
  context.log(`catching up over ${LATENCY} ms, ${SPARSE} blocks in a DA block`)
  const few = SPARSE * SEQUENTIAL_HEIGHTS
  const all = SPARSE * SPARSE_HEIGHTS
  const sequential = pace(await read(context, sparse, far, { genesis, target: few, parallel: 1 }), few)
  figures.push({ name: 'one DA height at a time', value: sequential / SPARSE, unit: 'DA heights/s' })
  for (const webSocket of [true, false]) {
    const inFlight = pace(await read(context, sparse, { ...far, webSocket }, { genesis, target: all }), all)
    const by = webSocket ? 'WebSocket' : 'HTTP'
    figures.push(
      { name: `heights in flight, ${by}`, value: inFlight / SPARSE, unit: 'DA heights/s' },
      {
        name: `times one at a time, ${by}`,
        value: inFlight / sequential,
        unit: '×',
        goal: { atLeast: 10 },
      },
    )
  }
  await sparse.child.stop()

  const dense = await serve(chain, EMPTY.blocks, DENSE)
  context.log(`catching up over ${LATENCY} ms, ${DENSE} blocks in a DA block`)
  const fewDense = DENSE * SEQUENTIAL_HEIGHTS
  const near = { latency: 0, webSocket: true }
  const slow = pace(await read(context, dense, far, { genesis, target: fewDense, parallel: 1 }), fewDense)
  const fast = pace(await read(context, dense, far, { genesis, target: EMPTY.blocks }), EMPTY.blocks)
  const atOnce = pace(await read(context, dense, near, { genesis, target: EMPTY.blocks }), EMPTY.blocks)
  await dense.child.stop()
  figures.push({
    name: `times one at a time, ${DENSE} blocks in a DA block`,
    value: fast / slow,
    unit: '×',
    limit: { value: atOnce / slow, by: 'the same DA without latency' },
  })
  return {
    title: `catch-up from a DA that answers after ${LATENCY} ms`,
    figures,
    notes: [
      `${SPARSE} blocks in a DA block where nothing else is said; without start-up`,
      `one at a time: the same reader with one DA height under way, measured on ${SEQUENTIAL_HEIGHTS} of them; the calls for one height still go out together`,
    ],
  }
}
