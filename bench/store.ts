/*
 * Blocks on disk: how fast they are written and read, how much room they take, and how soon a node with a million of
 * them is ready.
 */
import { join } from 'node:path'
import type { Filling, GeneratedChain } from './chain.ts'
import { forkProcess } from './child.ts'
import type { BenchContext, BenchPart, Figure, Table } from './part.ts'
import { formatNumber } from './report.ts'

/** Writes the blocks of a chain into new databases, each with its state, as a node does. */
export interface WriteOrder {
  readonly chain: GeneratedChain
  /** For the databases. */
  readonly folder: string
  /** Blocks that are saved together, each number in a database of its own. */
  readonly groups: readonly number[]
  /** Milliseconds for each, at most. */
  readonly span: number
}

/** What {@link WriteOrder} gave. */
export interface WriteResult {
  /** Blocks a second, in the order of the groups. */
  readonly perSecond: readonly number[]
  /** Bytes on disk for a block in the last database, which is whole, once the engine has tidied up. */
  readonly bytesPerBlock: number
}

/** Makes the home of a node that has followed a chain to its end. */
export interface HomeOrder {
  readonly chain: GeneratedChain
  readonly home: string
}

/** Reads what lies in a home. */
export interface ReadOrder {
  readonly home: string
  readonly blocks: number
  /** Milliseconds for each way of reading. */
  readonly span: number
}

/** Times a second of one way of reading. */
export interface ReadRate {
  readonly name: string
  readonly perSecond: number
  readonly unit: string
}

/** Starts a node over a home. */
export interface StartOrder {
  readonly home: string
  readonly chain: GeneratedChain
}

/** Milliseconds from the beginning of the node's process. */
export interface StartResult {
  /** Its code is loaded. */
  readonly loadedMs: number
  /** `start` has resolved, and `status` says where the chain ends. */
  readonly readyMs: number
}

const GROUPS = [1, 64, 256]
const WRITTEN_BLOCKS = 10_000
const HOME_BLOCKS = 1_000_000
const SPAN = 2_000
const READ_SPAN = 1_000
const STARTS = 3
const READY_GOAL = 2
/** Blocks a second that RPC is to give, which stands on reads of the block store. */
const READS_GOAL = 5_000

/** The benchmark `store`. */
export const store: BenchPart = {
  name: 'store',
  about: 'blocks on disk: writes, reads, room, and start-up with a million of them',
  async run(context) {
    return [await writes(context, 'empty'), await writes(context, 'small'), ...(await million(context))]
  },
}

async function writes(context: BenchContext, filling: Filling): Promise<Table> {
  const { chains, limits, scratch } = context
  const chain = await chains.get({ filling, blocks: WRITTEN_BLOCKS })
  context.log(`writing blocks (${filling})`)
  const order: WriteOrder = { chain, folder: join(scratch, `written-${filling}`), groups: GROUPS, span: SPAN }
  const { perSecond, bytesPerBlock } = await ask<WriteResult>('write-blocks', order, 'bytesPerBlock')
  const figures = GROUPS.map((group, index): Figure => {
    return {
      name: group === 1 ? 'blocks/s, saved one by one' : `blocks/s, ${group} saved together`,
      value: perSecond[index] ?? 0,
      unit: '/s',
      limit: { value: limits.syncedWrites * group, by: 'synced writes' },
    }
  })
  return {
    title: `store: writing blocks, ${filling}`,
    figures: [...figures, { name: 'room for a block, tidied up', value: bytesPerBlock, unit: 'bytes' }],
    notes: [
      'header, data, state, two indexes and the height of each block, on the disk before the next group',
    ],
  }
}

async function million(context: BenchContext): Promise<Table[]> {
  const { chains, scratch } = context
  const chain = await chains.get({ filling: 'empty', blocks: HOME_BLOCKS })
  const home = join(scratch, 'home')
  context.log(`making the home of a node with ${HOME_BLOCKS} blocks`)
  const homeOrder: HomeOrder = { chain, home }
  await ask<{ readonly made: true }>('make-home', homeOrder, 'made')
  context.log('starting a node')
  const starts: StartResult[] = []
  for (let index = 0; index < STARTS; index++) {
    const order: StartOrder = { home, chain }
    starts.push(await ask<StartResult>('start-home', order, 'readyMs'))
  }
  context.log('reading blocks')
  const readOrder: ReadOrder = { home, blocks: HOME_BLOCKS, span: READ_SPAN }
  const { rates } = await ask<{ readonly rates: readonly ReadRate[] }>('read-blocks', readOrder, 'rates')
  const readies = starts.map(({ readyMs }) => readyMs).toSorted((a, b) => a - b)
  const blocks = formatNumber(HOME_BLOCKS)
  return [
    {
      title: `store: start-up of a node with ${blocks} blocks`,
      figures: [
        {
          name: 'ready, slowest',
          value: (readies.at(-1) ?? 0) / 1_000,
          unit: 's',
          goal: { atMost: READY_GOAL },
        },
        { name: 'ready, fastest', value: (readies[0] ?? 0) / 1_000, unit: 's' },
        {
          name: 'of it loading code, fastest',
          value: Math.min(...starts.map(({ loadedMs }) => loadedMs)) / 1_000,
          unit: 's',
        },
      ],
      notes: [
        `${STARTS} starts, from the beginning of the process until start() has resolved and status() is right`,
        'the database lies in the memory of the operating system: emptying that takes rights a benchmark has not',
      ],
    },
    {
      title: `store: reading from ${blocks} blocks`,
      figures: rates.map(({ name, perSecond, unit }): Figure => {
        const goal = name.startsWith('blocks by number') ? { goal: { atLeast: READS_GOAL } } : {}
        return { name, value: perSecond, unit, ...goal }
      }),
      notes: [
        'random heights, decoded, without anything kept in memory; RPC, which is to stand on this, is not there yet',
      ],
    },
  ]
}

async function ask<Result extends object>(
  script: string,
  order: object,
  told: keyof Result & string,
): Promise<Result> {
  const child = forkProcess<Result>(script, order)
  const result = await child.message((message): message is Result => told in message)
  await child.stop()
  return result
}
