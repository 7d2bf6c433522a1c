/*
 * What single steps cost: decoding, encoding, hashing and checking headers and data, frames of the exchange, blobs of
 * DA, and the hashes and signatures below them. One thread, everything in memory.
 */
import { forkProcess } from './child.ts'
import type { BenchContext, BenchPart, Figure, Table } from './part.ts'

/** What the process of this part is to do. */
export interface MicroOrder {
  /** Milliseconds for each step. */
  readonly span: number
}

/** How fast one step is. */
export interface MicroStep {
  /** Its table. */
  readonly about: string
  readonly name: string
  readonly perSecond: number
  /** Bytes that it goes through each time; undefined where that is not what counts. */
  readonly bytes?: number
  /** What it cannot be faster than. */
  readonly bound?: 'signature check' | 'sha256'
}

/** All that was measured. */
export interface MicroResult {
  readonly steps: readonly MicroStep[]
  /** Bytes a second that the machine hashes, of pieces of 1 MiB. */
  readonly sha256Bytes: number
}

const MIB = 2 ** 20

/** The benchmark `micro`. */
export const micro: BenchPart = {
  name: 'micro',
  about: 'single steps: codecs, hashes, signatures, frames, blobs',
  async run(context) {
    const order: MicroOrder = { span: 400 }
    const child = forkProcess<MicroResult>('micro', order)
    const result = await child.message((message): message is MicroResult => 'steps' in message)
    await child.stop()
    const titles = [...new Set(result.steps.map(({ about }) => about))]
    return titles.map(
      (title): Table => ({
        title: `single steps: ${title}`,
        figures: result.steps
          .filter(({ about }) => about === title)
          .flatMap((step) => figuresOf(step, result, context)),
      }),
    )
  },
}

function figuresOf(step: MicroStep, { sha256Bytes }: MicroResult, { limits }: BenchContext): Figure[] {
  const { name, perSecond, bytes, bound } = step
  const limit =
    bound === 'signature check'
      ? { value: limits.verificationsPerThread, by: 'signature checks of a thread' }
      : bound === 'sha256' && bytes !== undefined
        ? { value: sha256Bytes / bytes, by: 'sha256 of a thread' }
        : undefined
  const figures: Figure[] = [
    { name, value: perSecond, unit: '/s', ...(limit === undefined ? {} : { limit }) },
    { name: `${name}: each`, value: 1e9 / perSecond, unit: 'ns' },
  ]
  if (bytes === undefined) return figures
  return [...figures, { name: `${name}: bytes`, value: (perSecond * bytes) / MIB, unit: 'MiB/s' }]
}
