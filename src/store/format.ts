import type { Kv } from '../core/kv.ts'
import { fromUtf8, utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { KEYS, METADATA, nameKey, prefixRange } from './keys.ts'

/**
 * Format of the databases this version writes. A change of what lies under a key of `keys.ts` that this version
 * could not read raises it, and comes with a {@link Migration} or a note that there is none.
 */
export const FORMAT = 1

/** Brings a database from one format to the next. */
export interface Migration {
  /** The format it starts from; it leads to `from + 1`. */
  readonly from: number
  /** Changes the database; may be cut off at any point and is then run again from the start. */
  run(kv: Kv): Promise<void>
}

/** Every migration there is, in order. */
export const MIGRATIONS: readonly Migration[] = []

const FORMAT_KEY = nameKey(KEYS.metadata, METADATA.format)

/**
 * Makes sure that a started database is of the format this version reads: names the format of a new one, migrates
 * an older one, and refuses with `STORE_FORMAT` what is newer or has no way here. Call it before anything reads.
 */
export async function ensureFormat(
  kv: Kv,
  {
    format = FORMAT,
    migrations = MIGRATIONS,
  }: { readonly format?: number; readonly migrations?: readonly Migration[] } = {},
): Promise<void> {
  const found = await readFormat(kv)
  if (found === undefined) {
    if (await hasStates(kv)) throw wrongFormat('none', format, 'it was not written by this program')
    await writeFormat(kv, format)
    return
  }
  if (found > format) throw wrongFormat(found, format, 'a later version wrote it')
  for (let at = found; at < format; at++) {
    const step = migrations.find(({ from }) => from === at)
    if (step === undefined) throw wrongFormat(at, format, 'no migration leads from one to the other')
    await step.run(kv)
    await writeFormat(kv, at + 1)
  }
}

async function readFormat(kv: Kv): Promise<number | undefined> {
  const bytes = await kv.get(FORMAT_KEY)
  if (bytes === undefined) return undefined
  const text = fromUtf8(bytes) ?? ''
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new EvolveError(
    'STORE_CORRUPT',
    `the format of the store must be a number, found ${JSON.stringify(text)}`,
    {
      data: { key: METADATA.format },
      verdict: 'halt',
    },
  )
}

async function writeFormat(kv: Kv, format: number): Promise<void> {
  await kv.batch([{ type: 'put', key: FORMAT_KEY, value: utf8(String(format)) }], { sync: true })
}

async function hasStates(kv: Kv): Promise<boolean> {
  for await (const _ of kv.keys({ ...prefixRange(Uint8Array.of(KEYS.states)), limit: 1 })) return true
  return false
}

function wrongFormat(found: number | 'none', expected: number, why: string): EvolveError {
  return new EvolveError('STORE_FORMAT', `the store has format ${found}, expected ${expected}: ${why}`, {
    data: { found, expected },
    verdict: 'halt',
  })
}
