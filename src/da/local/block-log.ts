/*
 * Where the blocks of the local DA lie: in memory, or in a database.
 */
import { heightKey, heightOfKey } from '../../core/record-keys.ts'
import type { Kv, KvOp } from '../../core/kv.ts'
import { fromUtf8, toHex, utf8 } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'

/** Records by height, without gap from 0. */
export interface BlockLog {
  /** The highest record; undefined when there is none. */
  last(): Promise<{ readonly height: number; readonly record: Uint8Array } | undefined>
  read(height: number): Promise<Uint8Array | undefined>
  /**
   * Adds records from height `from` on, all or none, durable when it resolves if the log is on disk.
   * Rejects with `LOCAL_DA_FULL` when they do not fit, or with what the database says.
   */
  append(from: number, records: readonly Uint8Array[]): Promise<void>
  /** What is kept, in bytes; 0 for a log on disk. */
  readonly bytes: number
}

/** What a record costs in memory besides its own bytes. */
const RECORD_OVERHEAD = 200

/** A log that is gone with the process, and holds at most `maxBytes`. */
export function createMemoryLog(maxBytes: number): BlockLog {
  const log: Uint8Array[] = []
  let bytes = 0
  return {
    async last() {
      const record = log.at(-1)
      return record === undefined ? undefined : { height: log.length - 1, record }
    },
    read: async (height) => log[height],
    async append(_from, records) {
      const more = records.reduce((sum, { length }) => sum + length + RECORD_OVERHEAD, 0)
      if (bytes + more > maxBytes) {
        throw new EvolveError(
          'LOCAL_DA_FULL',
          `the local DA is full: it keeps at most ${maxBytes} bytes in memory and has ${bytes}, got ${more} more`,
        )
      }
      for (const record of records) log.push(record)
      bytes += more
    },
    get bytes() {
      return bytes
    },
  }
}

/** First byte of each kind of key. Values never change. */
const KEYS = { format: 0x66, blocks: 0x62 } as const
const FORMAT_KEY = Uint8Array.of(KEYS.format)
const FORMAT = 'evolve local DA 1'
const BLOCKS = { gte: Uint8Array.of(KEYS.blocks), lt: Uint8Array.of(KEYS.blocks + 1) } as const
const EVERYTHING = { gte: Uint8Array.of(0), lt: Uint8Array.of(0xff), limit: 1 } as const

/**
 * A log in a started database that nobody else writes to. Its first `last` rejects with `LOCAL_DA_FORMAT` when
 * something else lies in it.
 */
export function createKvLog(kv: Kv): BlockLog {
  return {
    async last() {
      await claim(kv)
      for await (const [key, record] of kv.range({ ...BLOCKS, reverse: true, limit: 1 })) {
        const height = heightOfKey(key)
        if (height !== undefined) return { height, record }
      }
      return undefined
    },
    read: async (height) => await kv.get(heightKey(KEYS.blocks, height)),
    async append(from, records) {
      const ops = records.map(
        (value, i): KvOp => ({ type: 'put', key: heightKey(KEYS.blocks, from + i), value }),
      )
      await kv.batch(ops, { sync: true })
    },
    bytes: 0,
  }
}

async function claim(kv: Kv): Promise<void> {
  const format = await kv.get(FORMAT_KEY)
  if (format !== undefined) {
    const found = fromUtf8(format)
    if (found === FORMAT) return
    throw foreign(`format ${JSON.stringify(found)}`)
  }
  for await (const key of kv.keys(EVERYTHING)) throw foreign(`a record under key ${toHex(key)}`)
  await kv.batch([{ type: 'put', key: FORMAT_KEY, value: utf8(FORMAT) }], { sync: true })
}

function foreign(found: string): EvolveError {
  return new EvolveError(
    'LOCAL_DA_FORMAT',
    `expected an empty database or one of a local DA (${FORMAT}), found ${found}`,
  )
}
