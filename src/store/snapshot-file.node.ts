/*
 * Snapshot files: written whole or not at all, checked before anything of them is believed.
 */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { link, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PassThrough, Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { equalBytes, toHex } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { syncDirectory, systemErrorCode } from '../util/files.node.ts'
import {
  type Compression,
  damaged,
  decodeFrames,
  decodeManifest,
  decodePreamble,
  encodeEnd,
  encodeFrame,
  encodePreamble,
  SNAPSHOT_PREAMBLE,
  SNAPSHOT_TRAILER,
  type SnapshotFrame,
  type SnapshotManifest,
} from './snapshot-format.ts'

/** Frames that are handed to the compressor together. */
const CHUNK_BYTES = 256 * 1024

/**
 * What a body may be unpacked to: so many times its bytes in the file, and this much more. Chains pack five to fifty times;
 * what packs far better was made to fill disks.
 */
const UNPACKED = { times: 200, more: 64 * 1_048_576 }

/** A snapshot file whose manifest was read, and nothing else of it yet. */
export interface SnapshotFile {
  readonly path: string
  readonly bytes: number
  readonly manifest: SnapshotManifest
  readonly compression: Compression
  /** Where the body begins. */
  readonly bodyAt: number
}

function fileError(path: string, doing: string, cause: unknown): EvolveError {
  const code = systemErrorCode(cause)
  if (code === 'ENOENT') return new EvolveError('USAGE', `${path}: there is no such file or folder`)
  if (code === 'EISDIR') return new EvolveError('USAGE', `${path} is a folder, not a file`)
  if (code === 'EACCES') return new EvolveError('USAGE', `${path}: permission denied`)
  return new EvolveError('FILE_FAILED', `cannot ${doing} ${path}${code === undefined ? '' : ` (${code})`}`, {
    cause,
    verdict: 'retry',
  })
}

function compressor(compression: Compression): Transform {
  if (compression === 'zstd') return createZstdCompress()
  return compression === 'gzip' ? createGzip() : new PassThrough()
}

function decompressor(compression: Compression): Transform {
  if (compression === 'zstd') return createZstdDecompress()
  return compression === 'gzip' ? createGunzip() : new PassThrough()
}

async function* bodyOf(frames: AsyncIterable<SnapshotFrame>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = []
  let bytes = 0
  let count = 0
  for await (const frame of frames) {
    count++
    const encoded = encodeFrame(frame)
    waiting.push(encoded)
    bytes += encoded.length
    if (bytes < CHUNK_BYTES) continue
    yield Buffer.concat(waiting)
    waiting = []
    bytes = 0
  }
  yield Buffer.concat([...waiting, encodeEnd(count)])
}

/**
 * Writes a snapshot: beside `path` first, and under its name when it is whole and durable. Rejects with `USAGE` when
 * there is a file of that name. Resolves with the bytes of the file and its checksum.
 */
export async function writeSnapshot(
  path: string,
  {
    manifest,
    frames,
  }: { readonly manifest: SnapshotManifest; readonly frames: AsyncIterable<SnapshotFrame> },
  {
    compression = 'zstd',
    signal,
  }: { readonly compression?: Compression; readonly signal?: AbortSignal } = {},
): Promise<{ readonly bytes: number; readonly checksum: Uint8Array }> {
  const partial = `${path}.partial`
  const hash = createHash('sha256')
  let bytes = 0
  let checksum: Uint8Array = new Uint8Array(0)
  async function* sealed(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const count = (piece: Uint8Array): Uint8Array => {
      hash.update(piece)
      bytes += piece.length
      return piece
    }
    yield count(encodePreamble(manifest, compression))
    for await (const piece of body) yield count(piece)
    checksum = new Uint8Array(hash.digest())
    bytes += checksum.length
    yield checksum
  }
  await refuseExisting(path)
  try {
    await pipeline(
      Readable.from(bodyOf(frames), { objectMode: false }),
      compressor(compression),
      sealed,
      createWriteStream(partial, { mode: 0o600, flush: true }),
      signal === undefined ? {} : { signal },
    )
    await claim(partial, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    throw error instanceof EvolveError || signal?.aborted === true ? error : fileError(path, 'write', error)
  } finally {
    await rm(partial, { force: true })
  }
  return { bytes, checksum }
}

async function refuseExisting(path: string): Promise<void> {
  try {
    await stat(path)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return
    throw fileError(path, 'write', error)
  }
  throw new EvolveError('USAGE', `${path} is there already: remove it, or choose another name`)
}

/** Gives a whole file its name, unless that was taken meanwhile. */
async function claim(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path)
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') {
      throw new EvolveError('USAGE', `${path} is there already: remove it, or choose another name`)
    }
    // Some file systems have no second names.
    await rename(partial, path)
  }
}

/** Opens a snapshot as far as its manifest. Rejects as the format's readers do, and with `USAGE` when there is no file. */
export async function openSnapshot(path: string): Promise<SnapshotFile> {
  try {
    const file = await open(path, 'r')
    try {
      const { size: bytes } = await file.stat()
      const read = async (length: number, at: number): Promise<Uint8Array> => {
        const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, at)
        return buffer.subarray(0, bytesRead)
      }
      const { compression, manifestBytes } = decodePreamble(await read(SNAPSHOT_PREAMBLE, 0))
      const bodyAt = SNAPSHOT_PREAMBLE + manifestBytes
      // A body has its last frame at least.
      if (bytes <= bodyAt + SNAPSHOT_TRAILER) throw damaged('it ends in the middle')
      const manifest = decodeManifest(await read(manifestBytes, SNAPSHOT_PREAMBLE))
      return { path, bytes, manifest, compression, bodyAt }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw error instanceof EvolveError ? error : fileError(path, 'read', error)
  }
}

/** Reads the whole file and compares its checksum. Rejects with `SNAPSHOT_DAMAGED`. Resolves with the checksum. */
export async function checkSnapshot(
  { path, bytes }: SnapshotFile,
  { signal, onBytes }: { readonly signal?: AbortSignal; readonly onBytes?: (bytes: number) => void } = {},
): Promise<Uint8Array> {
  const hash = createHash('sha256')
  let done = 0
  let trailer: Uint8Array = new Uint8Array(0)
  try {
    const content = createReadStream(path, { end: bytes - SNAPSHOT_TRAILER - 1, ...(signal && { signal }) })
    for await (const piece of content) {
      hash.update(piece)
      done += piece.length
      onBytes?.(done)
    }
    const last: Uint8Array[] = []
    for await (const piece of createReadStream(path, { start: bytes - SNAPSHOT_TRAILER })) last.push(piece)
    trailer = new Uint8Array(Buffer.concat(last))
  } catch (error) {
    throw signal?.aborted === true ? error : fileError(path, 'read', error)
  }
  const found = new Uint8Array(hash.digest())
  if (!equalBytes(found, trailer)) {
    throw damaged(`its checksum should be ${toHex(trailer)}, and is ${toHex(found)}`)
  }
  return found
}

/** The frames of a checked snapshot. Rejects with `SNAPSHOT_DAMAGED`. */
export async function* readFrames(
  { path, bytes, bodyAt, compression }: SnapshotFile,
  { signal }: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<SnapshotFrame> {
  const source = createReadStream(path, { start: bodyAt, end: bytes - SNAPSHOT_TRAILER - 1 })
  const body = decompressor(compression)
  source.on('error', (error) => body.destroy(error))
  source.pipe(body)
  try {
    for await (const frame of decodeFrames(
      bounded(body, (bytes - bodyAt) * UNPACKED.times + UNPACKED.more),
    )) {
      signal?.throwIfAborted()
      yield frame
    }
  } catch (error) {
    if (error instanceof EvolveError || signal?.aborted === true) throw error
    throw damaged('its body cannot be unpacked', error)
  } finally {
    source.destroy()
    body.destroy()
  }
}

/** What a stream gives, up to a number of bytes; `SNAPSHOT_DAMAGED` beyond it. */
async function* bounded(body: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let seen = 0
  for await (const piece of body) {
    seen += piece.length
    if (seen > limit)
      throw damaged(`its body unpacks to more than ${limit} bytes, far more than a chain's would`)
    yield piece
  }
}
