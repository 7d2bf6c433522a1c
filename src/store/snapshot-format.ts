/*
 * What a snapshot file holds, as bytes. docs/snapshot.md describes it for those who write readers of their own.
 *
 *   magic (8), format (2), compression (1), length of the manifest (4), manifest (JSON), body, SHA-256 (32) of all before
 *
 * Numbers are big endian. The body is a sequence of frames, compressed as a whole: kind (1), length (4), content. The
 * last one says how many there were.
 */
import { z } from 'zod'
import { concatBytes, fromHex, fromUtf8, toHex, uint64BigEndian, utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { parseHeight } from './keys.ts'

/** First bytes of every snapshot; the line break in it shows when a file was sent as text. */
export const SNAPSHOT_MAGIC: Uint8Array = utf8('EVSNAP\r\n')
/** The format this version writes, and the only one it reads. */
export const SNAPSHOT_FORMAT = 1
/** Bytes before the manifest. */
export const SNAPSHOT_PREAMBLE = 15
/** Bytes of the checksum at the end. */
export const SNAPSHOT_TRAILER = 32
/** Longest manifest and frame that are read. */
export const MAX_MANIFEST = 65_536
export const MAX_FRAME: number = 64 * 1024 * 1024

/** How the body is compressed. */
export const COMPRESSIONS = ['none', 'zstd', 'gzip'] as const

/** One of {@link COMPRESSIONS}. */
export type Compression = (typeof COMPRESSIONS)[number]

const height = z.int().min(0)
const hash = z
  .string()
  .refine((text) => fromHex(text) !== undefined)
  .transform((text) => fromHex(text) ?? new Uint8Array(0))

const manifestSchema = z.object({
  chain_id: z.string(),
  /** Name of the application whose state is in it. */
  application: z.string(),
  initial_height: z.int().min(1),
  /** Height of the last block, the one the application's state is of. */
  height: z.int().min(1),
  /** Lowest height whose block is in it. */
  first_height: z.int().min(1),
  /** Lowest height whose state is in it; it may be one below the first block of the chain. */
  first_state: height,
  header_hash: hash,
  /** Highest final height, as the node that wrote it knew. */
  final_height: height,
  /** DA height of the first block; 0 when not known. */
  genesis_da_height: height,
  /** Unix nanoseconds, in decimal. */
  created: z.string().regex(/^\d{1,19}$/),
})

/** What a snapshot says of itself. */
export interface SnapshotManifest {
  readonly chainId: string
  readonly application: string
  readonly initialHeight: number
  readonly height: number
  readonly firstHeight: number
  readonly firstState: number
  readonly headerHash: Uint8Array
  readonly finalHeight: number
  readonly genesisDaHeight: number
  readonly created: bigint
}

/** One piece of the body. */
export type SnapshotFrame =
  | {
      readonly kind: 'block'
      readonly header: Uint8Array
      readonly data: Uint8Array
      readonly state: Uint8Array
    }
  | { readonly kind: 'genesis-state'; readonly state: Uint8Array }
  | { readonly kind: 'application' | 'da'; readonly key: Uint8Array; readonly value: Uint8Array }
  | {
      readonly kind: 'final'
      readonly height: number
      readonly headerDaHeight: number
      readonly dataDaHeight: number
    }

const KINDS = { end: 0, block: 1, 'genesis-state': 2, application: 3, da: 4, final: 5 } as const

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

/** The error of a file that is not what was written. */
export function damaged(what: string, cause?: unknown): EvolveError {
  return new EvolveError('SNAPSHOT_DAMAGED', `the snapshot is damaged or was altered: ${what}`, { cause })
}

/** Everything before the body. */
export function encodePreamble(manifest: SnapshotManifest, compression: Compression): Uint8Array {
  const json = utf8(
    JSON.stringify({
      chain_id: manifest.chainId,
      application: manifest.application,
      initial_height: manifest.initialHeight,
      height: manifest.height,
      first_height: manifest.firstHeight,
      first_state: manifest.firstState,
      header_hash: toHex(manifest.headerHash),
      final_height: manifest.finalHeight,
      genesis_da_height: manifest.genesisDaHeight,
      created: String(manifest.created),
    }),
  )
  const fixed = Uint8Array.of(0, SNAPSHOT_FORMAT, COMPRESSIONS.indexOf(compression))
  return concatBytes(SNAPSHOT_MAGIC, fixed, uint32(json.length), json)
}

/**
 * Reads the first {@link SNAPSHOT_PREAMBLE} bytes. Throws `NOT_A_SNAPSHOT`, `SNAPSHOT_VERSION` when another version
 * must read it, and `SNAPSHOT_DAMAGED`.
 */
export function decodePreamble(bytes: Uint8Array): {
  readonly compression: Compression
  readonly manifestBytes: number
} {
  if (bytes.length < SNAPSHOT_PREAMBLE || SNAPSHOT_MAGIC.some((byte, at) => bytes[at] !== byte)) {
    throw new EvolveError('NOT_A_SNAPSHOT', 'the file is no snapshot: it does not begin like one')
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const format = view.getUint16(8)
  if (format !== SNAPSHOT_FORMAT) {
    throw new EvolveError(
      'SNAPSHOT_VERSION',
      `the snapshot has format ${format}, this version reads format ${SNAPSHOT_FORMAT}: ${format > SNAPSHOT_FORMAT ? 'a later version wrote it' : 'it is of no version there was'}`,
      { data: { format } },
    )
  }
  const compression = COMPRESSIONS[bytes[10] ?? 0xff]
  const manifestBytes = view.getUint32(11)
  if (compression === undefined || manifestBytes > MAX_MANIFEST) throw damaged('its beginning makes no sense')
  return { compression, manifestBytes }
}

/** Reads a manifest. Throws `SNAPSHOT_DAMAGED`. */
export function decodeManifest(bytes: Uint8Array): SnapshotManifest {
  let json: unknown
  try {
    json = JSON.parse(fromUtf8(bytes) ?? '')
  } catch (cause) {
    throw damaged('its manifest is no JSON', cause)
  }
  const { success, data } = manifestSchema.safeParse(json)
  if (!success) throw damaged('its manifest lacks something')
  const manifest: SnapshotManifest = {
    chainId: data.chain_id,
    application: data.application,
    initialHeight: data.initial_height,
    height: data.height,
    firstHeight: data.first_height,
    firstState: data.first_state,
    headerHash: data.header_hash,
    finalHeight: data.final_height,
    genesisDaHeight: data.genesis_da_height,
    created: BigInt(data.created),
  }
  const { initialHeight, firstHeight, firstState, height: last, finalHeight } = manifest
  const ordered = initialHeight <= firstHeight && firstHeight <= last && finalHeight <= last
  if (!ordered || firstState > last || firstState < firstHeight - 1) {
    throw damaged('the heights in its manifest contradict each other')
  }
  return manifest
}

function contentOf(frame: SnapshotFrame): Uint8Array[] {
  if (frame.kind === 'block')
    return [uint32(frame.header.length), frame.header, uint32(frame.data.length), frame.data, frame.state]
  if (frame.kind === 'genesis-state') return [frame.state]
  if (frame.kind === 'final')
    return [frame.height, frame.headerDaHeight, frame.dataDaHeight].map(uint64BigEndian)
  return [uint32(frame.key.length), frame.key, frame.value]
}

function frameBytes(kind: number, content: readonly Uint8Array[]): Uint8Array {
  const length = content.reduce((sum, { length: more }) => sum + more, 0)
  return concatBytes(Uint8Array.of(kind), uint32(length), ...content)
}

/** One frame. */
export function encodeFrame(frame: SnapshotFrame): Uint8Array {
  return frameBytes(KINDS[frame.kind], contentOf(frame))
}

/** The frame behind `count` others, the last. */
export function encodeEnd(count: number): Uint8Array {
  return frameBytes(KINDS.end, [uint64BigEndian(count)])
}

/** Takes `length` bytes, headed by their number, from a content. */
function takeSized(content: Uint8Array, at: number): { readonly bytes: Uint8Array; readonly end: number } {
  if (at + 4 > content.length) throw damaged('a frame is too short')
  const length = new DataView(content.buffer, content.byteOffset + at, 4).getUint32(0)
  const end = at + 4 + length
  if (end > content.length) throw damaged('a frame is too short')
  return { bytes: content.subarray(at + 4, end), end }
}

function decodeFrame(kind: number, content: Uint8Array): SnapshotFrame {
  if (kind === KINDS.block) {
    const header = takeSized(content, 0)
    const data = takeSized(content, header.end)
    return { kind: 'block', header: header.bytes, data: data.bytes, state: content.subarray(data.end) }
  }
  if (kind === KINDS['genesis-state']) return { kind: 'genesis-state', state: content }
  if (kind === KINDS.final) {
    const [at, headerDaHeight, dataDaHeight] = [0, 8, 16].map((from) =>
      parseHeight(content.subarray(from, from + 8)),
    )
    if (at === undefined || headerDaHeight === undefined || dataDaHeight === undefined)
      throw damaged('a final height is none')
    return { kind: 'final', height: at, headerDaHeight, dataDaHeight }
  }
  if (kind !== KINDS.application && kind !== KINDS.da) throw damaged(`it has a frame of kind ${kind}`)
  const key = takeSized(content, 0)
  return {
    kind: kind === KINDS.da ? 'da' : 'application',
    key: key.bytes,
    value: content.subarray(key.end),
  }
}

/** Cuts a body, which comes in any pieces, into frames. Throws `SNAPSHOT_DAMAGED`, also when its end is missing. */
export async function* decodeFrames(body: AsyncIterable<Uint8Array>): AsyncGenerator<SnapshotFrame> {
  let rest: Uint8Array = new Uint8Array(0)
  let count = 0
  let ended = false
  /** Bytes that must be here before it is worth looking again. */
  let needed = 5
  let waiting: Uint8Array[] = []
  let waitingBytes = 0
  for await (const piece of body) {
    waiting.push(piece)
    waitingBytes += piece.length
    if (rest.length + waitingBytes < needed) continue
    rest = concatBytes(rest, ...waiting)
    waiting = []
    waitingBytes = 0
    for (;;) {
      needed = 5
      if (rest.length < needed) break
      const length = new DataView(rest.buffer, rest.byteOffset + 1, 4).getUint32(0)
      if (length > MAX_FRAME) throw damaged(`a frame of ${length} bytes is longer than ${MAX_FRAME}`)
      needed = 5 + length
      if (rest.length < needed) break
      if (ended) throw damaged('something follows its end')
      const [kind = 0] = rest
      const content = rest.subarray(5, needed)
      if (kind === KINDS.end) {
        if (parseHeight(content) !== count) throw damaged(`it ends after ${count} frames, which are not all`)
        ended = true
      } else {
        count++
        yield decodeFrame(kind, content)
      }
      rest = rest.subarray(needed)
    }
  }
  if (!ended || rest.length + waitingBytes > 0) throw damaged('it ends in the middle')
}
