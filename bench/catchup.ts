/*
 * How fast a new node catches up over P2P: from an empty home to the end of the chain, every signature checked and
 * every block executed, from one peer that serves it from its disk.
 */
import { join } from 'node:path'
import type { ChainPlan, GeneratedChain } from './chain.ts'
import { forkProcess } from './child.ts'
import type { FollowResult } from './follow-messages.ts'
import type { BenchContext, BenchPart, Figure, Table } from './part.ts'
import { formatNumber } from './report.ts'

/** Blocks a second of the Go follower (v1.2.3) on two cores of this kind. */
const GO_BLOCKS_PER_SECOND = 93.6
const MIB = 2 ** 20

const PLANS: readonly ChainPlan[] = [
  { filling: 'empty', blocks: 10_000 },
  { filling: 'empty', blocks: 100_000 },
  { filling: 'empty', blocks: 1_000_000 },
  { filling: 'small', blocks: 10_000 },
  { filling: 'small', blocks: 100_000 },
  { filling: 'large', blocks: 300 },
]

/** The benchmark `catchup`. `BENCH_CATCHUP=empty-10000,small-10000` measures only these. */
export const catchup: BenchPart = {
  name: 'catchup',
  about: 'a new node from an empty home to the tip, over P2P',
  async run(context) {
    const only = process.env['BENCH_CATCHUP']?.split(',')
    const plans = PLANS.filter(({ filling, blocks }) => only?.includes(`${filling}-${blocks}`) ?? true)
    const tables: Table[] = []
    for (const plan of plans) tables.push(await measure(plan, context))
    return tables
  },
}

async function measure(plan: ChainPlan, context: BenchContext): Promise<Table> {
  const chain = await context.chains.get(plan)
  const server = forkProcess<{ addresses: string[] }>('serve-chain', chain)
  const { addresses } = await server.message(
    (message): message is { addresses: string[] } => 'addresses' in message,
  )
  context.log(`catching up ${plan.blocks} blocks (${plan.filling})`)
  const serverBefore = server.cpu()
  const follower = forkProcess<FollowResult>('follow', {
    home: join(context.scratch, `${plan.filling}-${plan.blocks}`),
    genesis: chain.genesis,
    peers: addresses,
    target: chain.blocks,
  })
  const result = await follower.message((message): message is FollowResult => message.done)
  const cpu = follower.cpu()
  const serverCpu = server.cpu() - serverBefore
  const memory = follower.peakMemory()
  assertSame(chain, result)
  await follower.stop()
  await server.stop()
  const perSecond = (plan.blocks * 1_000) / result.blocksMs
  const thousands = plan.blocks / 1_000
  const figures: Figure[] = [
    {
      name: 'blocks/s, with start-up',
      value: perSecond,
      unit: '/s',
      // Of blocks as large as these the bytes decide, not their number.
      ...(plan.filling === 'large' ? {} : { goal: { atLeast: 30 * GO_BLOCKS_PER_SECOND } }),
      limit: { value: context.limits.verifications, by: 'signature checks of all cores' },
    },
    { name: 'times the Go follower', value: perSecond / GO_BLOCKS_PER_SECOND, unit: '×' },
    {
      name: 'headers/s, with start-up',
      value: (plan.blocks * 1_000) / result.headersMs,
      unit: '/s',
    },
    { name: 'bytes/s of the chain', value: (chain.bytes * 1_000) / result.blocksMs / MIB, unit: 'MiB/s' },
    { name: 'follower, CPU for 1,000 blocks', value: cpu / thousands, unit: 's' },
    { name: 'server, CPU for 1,000 blocks', value: serverCpu / thousands, unit: 's' },
    { name: 'follower, peak memory', value: memory / MIB, unit: 'MiB', goal: { atMost: 400 } },
  ]
  return { title: `catch-up over P2P: ${formatNumber(plan.blocks)} blocks, ${plan.filling}`, figures }
}

function assertSame(chain: GeneratedChain, { height, stateRoot, lastHeaderHash }: FollowResult): void {
  if (height === chain.blocks && stateRoot === chain.stateRoot && lastHeaderHash === chain.lastHeaderHash)
    return
  throw new Error(`the follower ended on another block ${height} than the chain`)
}
