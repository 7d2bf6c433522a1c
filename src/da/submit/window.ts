import type { Blob } from '../../core/da.ts'
import { abortable } from '../../util/async.ts'
import { EvolveError } from '../../util/errors.ts'
import { createBlob } from '../blob.ts'
import type { HalfName } from '../records.ts'
import type { Draft, ItemKind } from './items.ts'

/** A header or data, signed and ready to be posted. */
export interface Item {
  readonly name: HalfName
  readonly blob: Blob
}

/** Bounds of a {@link Window}: what one submission may hold. */
export interface WindowLimits {
  readonly maxItems: number
  readonly maxBlobBytes: number
}

/**
 * The next items to be posted, in order, never more than one submission: what waits behind them stays in the store.
 * Each is signed once, when it comes in, and kept until it is posted.
 */
export interface Window {
  readonly items: readonly Item[]
  readonly bytes: number
  /** There is more to post than fits. */
  readonly full: boolean
  /** Everything up to here is in the window, was posted or needs no posting. */
  readonly scanned: number
  /** Everything up to here was posted or needs no posting. */
  readonly last: number
  /**
   * Takes in what fits, up to a height. Rejects with `DA_ITEM_TOO_BIG` (`halt`) when the first item alone is over
   * the limit.
   */
  fill(height: number, signal: AbortSignal): Promise<void>
  /** Lets go of the first items. */
  drop(count: number): void
  /** Begins anew above a height. */
  reset(last: number): void
  /** Lets go of everything up to a height. */
  passTo(height: number): void
}

/** Items signed at the same time: a key that lives elsewhere takes its time for each. */
const SIGNED_TOGETHER = 16

/** An item that no submission can ever hold. */
export function itemTooBig(name: HalfName, size: number, limit: string): EvolveError {
  const { kind, height } = name
  return new EvolveError(
    'DA_ITEM_TOO_BIG',
    `the ${kind} of block ${height} can never be posted: expected at most ${limit}, got ${size} bytes`,
    { verdict: 'halt', data: { kind, height, size } },
  )
}

/** Makes a {@link Window} above `last`. What is `done` already is passed over. */
export function createWindow(
  deps: {
    readonly kind: ItemKind
    readonly namespace: Uint8Array
    readonly done: (name: HalfName) => Promise<boolean>
  },
  limits: WindowLimits,
  last: number,
): Window {
  const { kind, namespace, done } = deps
  const { maxItems, maxBlobBytes } = limits
  let items: Item[] = []
  let bytes = 0
  let full = false
  let scanned = last

  /** The next few drafts; a long way may be without any. */
  async function read(height: number, signal: AbortSignal): Promise<{ drafts: Draft[]; to: number }> {
    const drafts: Draft[] = []
    let room = maxBlobBytes - bytes
    let to = scanned
    while (to < height && drafts.length < SIGNED_TOGETHER) {
      signal.throwIfAborted()
      const draft = await kind.draft(to + 1)
      if (draft !== undefined && !(await done(draft.name))) {
        const first = items.length + drafts.length === 0
        if (first && draft.size > maxBlobBytes)
          throw itemTooBig(draft.name, draft.size, `${maxBlobBytes} bytes`)
        full = draft.size > room || items.length + drafts.length >= maxItems
        if (full) break
        room -= draft.size
        drafts.push(draft)
      }
      to++
    }
    return { drafts, to }
  }

  function take(count: number): void {
    for (const { blob } of items.splice(0, count)) bytes -= blob.data.length
    if (count > 0) full = false
  }

  return {
    get items() {
      return items
    },
    get bytes() {
      return bytes
    },
    get full() {
      return full
    },
    get scanned() {
      return scanned
    },
    get last() {
      return (items[0]?.name.height ?? scanned + 1) - 1
    },
    async fill(height, signal) {
      while (scanned < height && !full) {
        const { drafts, to } = await read(height, signal)
        const signed = await abortable(
          Promise.all(drafts.map(async (draft) => ({ name: draft.name, data: await draft.sign() }))),
          signal,
        )
        for (const { name, data } of signed) {
          items.push({ name, blob: createBlob(namespace, data) })
          bytes += data.length
        }
        scanned = to
      }
    },
    drop: take,
    reset(to) {
      items = []
      bytes = 0
      full = false
      scanned = to
    },
    passTo(height) {
      take(items.findLastIndex(({ name }) => name.height <= height) + 1)
      scanned = Math.max(scanned, height)
    },
  }
}
