/*
 * Where a header store begins and ends. Pointers say so; when one of them points at nothing, or at something
 * else, what is there is looked through instead.
 */
import type { ItemKind } from '../../core/header.ts'
import type { Kv, KvOp } from '../../core/kv.ts'
import { equalBytes } from '../../util/bytes.ts'
import { isEvolveError } from '../../util/errors.ts'
import {
  decodePointer,
  encodePointer,
  hashKey,
  heightKey,
  heightOfKey,
  parseHeight,
  type Pointer,
  pointerKey,
  type StorePrefixes,
} from './keys.ts'

/** Lowest and highest item of a store that is not empty. */
export interface StoreEnds {
  readonly tail: Pointer
  readonly head: Pointer
}

/** Parts that reading a store needs. */
export interface RecoverDeps<H> {
  readonly kv: Kv
  readonly kind: ItemKind<H>
  readonly prefixes: StorePrefixes
}

/** What {@link openEnds} found. */
export interface OpenedEnds {
  /** undefined when the store is empty. */
  readonly ends: StoreEnds | undefined
  /** Whether the pointers did not tell, and the items were looked through. */
  readonly recovered: boolean
}

/** Records looked at in one step of a scan. */
const PAGE = 256

/** Changes that make the pointers say `ends`. */
export function pointerOps(prefixes: StorePrefixes, ends: StoreEnds | undefined): KvOp[] {
  const head = pointerKey(prefixes.meta, 'head')
  const tail = pointerKey(prefixes.meta, 'tail')
  if (ends === undefined) {
    return [
      { type: 'del', key: head },
      { type: 'del', key: tail },
    ]
  }
  return [
    { type: 'put', key: head, value: encodePointer(ends.head) },
    { type: 'put', key: tail, value: encodePointer(ends.tail) },
  ]
}

/**
 * Reads the ends of a store. Four reads when the pointers are right. When items were cut off at the top, the head
 * is the highest that is left. Otherwise the longest run of good items becomes the store, and the pointers are set
 * to it. A record is good when it decodes, has the height of its key, and the hash index knows it. Rejects only
 * when the database does.
 */
export async function openEnds<H>(deps: RecoverDeps<H>): Promise<OpenedEnds> {
  const { kv, prefixes } = deps
  const [headBytes, tailBytes] = await readMany(kv, [
    pointerKey(prefixes.meta, 'head'),
    pointerKey(prefixes.meta, 'tail'),
  ])
  const head = await followPointer(deps, headBytes)
  const tail = await followPointer(deps, tailBytes)
  if (head !== undefined && tail !== undefined && tail.height <= head.height) {
    return { ends: { head, tail }, recovered: false }
  }
  const ends = (tail === undefined ? undefined : await cutOff(deps, tail)) ?? (await longestRun(deps))
  const untouched = headBytes === undefined && tailBytes === undefined && ends === undefined
  if (!untouched) await kv.batch(pointerOps(prefixes, ends), { sync: true })
  return { ends, recovered: !untouched }
}

/** The pointer in `bytes` if it points at the item it names. */
async function followPointer<H>(
  { kv, kind, prefixes }: RecoverDeps<H>,
  bytes: Uint8Array | undefined,
): Promise<Pointer | undefined> {
  const pointer = bytes === undefined ? undefined : decodePointer(bytes)
  if (pointer === undefined) return undefined
  const [record] = await readMany(kv, [heightKey(prefixes.items, pointer.height)])
  const hash = hashOfRecord(kind, pointer.height, record)
  return hash !== undefined && equalBytes(hash, pointer.hash) ? pointer : undefined
}

/** The ends when the tail is right and nothing is missing up to the highest item, which is good. */
async function cutOff<H>(deps: RecoverDeps<H>, tail: Pointer): Promise<StoreEnds | undefined> {
  let highest = tail.height - 1
  for await (const height of itemHeights(deps, tail.height)) {
    if (height !== highest + 1) return undefined
    highest = height
  }
  const [head] = await goodRecords(deps, [highest])
  return head === undefined ? undefined : { tail, head }
}

async function longestRun<H>(deps: RecoverDeps<H>): Promise<StoreEnds | undefined> {
  let longest: StoreEnds | undefined
  let run: StoreEnds | undefined
  const length = (ends: StoreEnds | undefined): number =>
    ends === undefined ? 0 : ends.head.height - ends.tail.height + 1
  for await (const heights of pages(itemHeights(deps))) {
    for (const found of await goodRecords(deps, heights)) {
      run =
        run !== undefined && found.height === run.head.height + 1
          ? { tail: run.tail, head: found }
          : { tail: found, head: found }
      // Of runs of equal length the higher: what lies above is what a node needs first.
      if (length(run) >= length(longest)) longest = run
    }
  }
  return longest
}

async function* itemHeights<H>({ kv, prefixes }: RecoverDeps<H>, from = 0): AsyncGenerator<number, void> {
  const bounds = {
    gte: heightKey(prefixes.items, from),
    lt: Uint8Array.of(prefixes.items + 1),
  }
  for await (const key of kv.keys(bounds)) {
    const height = heightOfKey(key)
    if (height !== undefined) yield height
  }
}

async function* pages(heights: AsyncIterable<number>): AsyncGenerator<number[], void> {
  let page: number[] = []
  for await (const height of heights) {
    page.push(height)
    if (page.length < PAGE) continue
    yield page
    page = []
  }
  yield page
}

async function goodRecords<H>(
  { kv, kind, prefixes }: RecoverDeps<H>,
  heights: readonly number[],
): Promise<Pointer[]> {
  const records = await readMany(
    kv,
    heights.map((height) => heightKey(prefixes.items, height)),
  )
  const decoded: Pointer[] = []
  for (const [index, height] of heights.entries()) {
    const hash = hashOfRecord(kind, height, records[index])
    if (hash !== undefined) decoded.push({ height, hash })
  }
  const indexed = await readMany(
    kv,
    decoded.map(({ hash }) => hashKey(prefixes.hashes, hash)),
  )
  return decoded.filter(({ height }, index) => {
    const entry = indexed[index]
    return entry !== undefined && parseHeight(entry) === height
  })
}

function hashOfRecord<H>(
  kind: ItemKind<H>,
  height: number,
  record: Uint8Array | undefined,
): Uint8Array | undefined {
  if (record === undefined) return undefined
  try {
    const item = kind.decode(record)
    return kind.height(item) === height ? kind.hash(item) : undefined
  } catch {
    return undefined
  }
}

/** As `kv.getMany`, but a record that the database finds damaged is one that is not there. */
async function readMany(kv: Kv, keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
  try {
    return await kv.getMany(keys)
  } catch (error) {
    if (!isEvolveError(error, 'STORE_CORRUPT')) throw error
    if (keys.length === 1) return [undefined]
  }
  const found: (Uint8Array | undefined)[] = []
  for (const key of keys) found.push(...(await readMany(kv, [key])))
  return found
}
