/*
 * How far DA was read, and what must be read again: one record.
 */
import { fromHex, fromUtf8, toHex, utf8 } from '../../util/bytes.ts'
import type { HalfKind, HalfName } from '../records.ts'

/** Heights of the header and the data store. */
export type Heights = Readonly<Record<HalfKind, number>>

/** A half that was let go of. */
export interface LostHalf {
  readonly name: HalfName
  readonly daHeight: number
}

/** Something that was let go of. */
export interface Lost {
  /** Lowest DA height at which something of it lay. */
  readonly daHeight: number
  /** For trusted halves the lowest block height, for strangers the highest. */
  readonly height: number
  /** Sum of the heights of both stores when the one at `height` was let go of: they must move before we go back. */
  readonly since: number
}

/** How far DA was read. */
export interface Cursor {
  /** Next DA height to deal with. */
  readonly next: number
  /** Lowest DA height that reading ever began at. */
  readonly first: number
  /** DA height of the first envelope by a proven proposer: above it headers without envelope count for nothing. */
  readonly strictFrom: number | undefined
  /** The proposer named last when strangers were judged. */
  readonly proposer: Uint8Array
  /**
   * Heights of the stores: what they have lost since must be looked for again. On disk they may be lower than the
   * stores were, but never than a half that was found on DA and is not kept here any more.
   */
  readonly stores: Heights
  /** Trusted halves that were let go of. */
  readonly lost: Readonly<Partial<Record<HalfKind, Lost>>>
  /**
   * Halves of strangers that were let go of, and may turn out to be the next proposer's: those that count, and those
   * that will once the first are settled. So a stranger cannot make us go back for ever.
   */
  readonly doubts: readonly Lost[]
  /** Inclusions at and above this DA height are still to be taken back. */
  readonly unmarkFrom: number | undefined
}

/** The record of a {@link Cursor}. */
export function encodeCursor(cursor: Cursor): Uint8Array {
  return utf8(JSON.stringify({ ...cursor, proposer: toHex(cursor.proposer) }))
}

/** The {@link Cursor} of a record; undefined when it is none. */
export function decodeCursor(bytes: Uint8Array): Cursor | undefined {
  let json: unknown
  try {
    json = JSON.parse(fromUtf8(bytes) ?? '')
  } catch {
    return undefined
  }
  const next = heightOf(json, 'next')
  const proposer: unknown = field(json, 'proposer')
  const address = typeof proposer === 'string' ? fromHex(proposer) : undefined
  const stores = field(json, 'stores')
  const [header, data] = [heightOf(stores, 'header'), heightOf(stores, 'data')]
  if (next === undefined || address === undefined || header === undefined || data === undefined)
    return undefined
  const lost = field(json, 'lost')
  const lostHeader = lostOf(field(lost, 'header'))
  const lostData = lostOf(field(lost, 'data'))
  const doubts: unknown = field(json, 'doubts')
  return {
    next,
    first: heightOf(json, 'first') ?? 0,
    strictFrom: heightOf(json, 'strictFrom'),
    proposer: address,
    stores: { header, data },
    lost: {
      ...(lostHeader === undefined ? {} : { header: lostHeader }),
      ...(lostData === undefined ? {} : { data: lostData }),
    },
    doubts: Array.isArray(doubts) ? doubts.flatMap((one: unknown) => lostOf(one) ?? []) : [],
    unmarkFrom: heightOf(json, 'unmarkFrom'),
  }
}

/**
 * Whether a cursor must be written: not when since `written` the stores have only grown. Blocks that came from
 * elsewhere are nothing that could be looked for on DA; and what was found there changes more than that.
 */
export function isNews(written: Cursor | undefined, cursor: Cursor): boolean {
  if (written === undefined) return true
  const { stores } = written
  if (cursor.stores.header < stores.header || cursor.stores.data < stores.data) return true
  const before: Readonly<Record<string, unknown>> = { ...written, stores: cursor.stores }
  return Object.entries(cursor).some(([name, value]) => before[name] !== value)
}

/** Notes that a trusted half was let go of while the stores were at `stores`. */
export function withLost(cursor: Cursor, { name, daHeight }: LostHalf, stores: Heights): Cursor {
  const { kind, height } = name
  const before = cursor.lost[kind]
  const lost: Lost = {
    daHeight: Math.min(daHeight, before?.daHeight ?? daHeight),
    height: Math.min(height, before?.height ?? height),
    since: before === undefined || height < before.height ? stores.header + stores.data : before.since,
  }
  return { ...cursor, lost: { ...cursor.lost, [kind]: lost } }
}

/** Notes that a stranger's half was let go of. */
export function withDoubt(cursor: Cursor, daHeight: number, height: number): Cursor {
  const [first, young] = cursor.doubts
  const added: Lost = {
    daHeight: Math.min(daHeight, young?.daHeight ?? daHeight),
    height: Math.max(height, young?.height ?? height),
    since: 0,
  }
  return { ...cursor, doubts: first === undefined ? [added] : [first, added] }
}

/** Forgets doubts about heights whose proposer is certain. */
export function settleDoubts(cursor: Cursor, provenUpTo: number): Cursor {
  const [first, ...rest] = cursor.doubts
  return first === undefined || first.height > provenUpTo ? cursor : { ...cursor, doubts: rest }
}

/**
 * The DA height to go back to for what was let go of, once the stores have got to where it is needed; undefined when
 * there is nothing to go back for.
 */
export function lostDaHeight(cursor: Cursor, stores: Heights): number | undefined {
  const due = (['header', 'data'] as const).flatMap((kind) => {
    const lost = cursor.lost[kind]
    const moved = stores.header + stores.data !== lost?.since
    return lost !== undefined && moved && stores[kind] + 1 >= lost.height ? [lost.daHeight] : []
  })
  return due.length === 0 ? undefined : Math.min(...due)
}

/** The cursor at a lower DA height. What would be met again from there need not be remembered. */
export function rewound(cursor: Cursor, to: number): Cursor {
  const kept = Object.entries(cursor.lost).filter(([, { daHeight }]) => daHeight < to)
  return {
    ...cursor,
    next: Math.min(cursor.next, to),
    lost: Object.fromEntries(kept),
    doubts: cursor.doubts.filter(({ daHeight }) => daHeight < to),
  }
}

function field(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined
}

function heightOf(of: unknown, name: string): number | undefined {
  const value = field(of, name)
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function lostOf(of: unknown): Lost | undefined {
  const daHeight = heightOf(of, 'daHeight')
  const height = heightOf(of, 'height')
  const since = heightOf(of, 'since')
  return daHeight === undefined || height === undefined || since === undefined
    ? undefined
    : { daHeight, height, since }
}
