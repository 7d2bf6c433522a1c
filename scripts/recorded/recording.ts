import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { FrameReader } from '../../src/header/exchange/codec.ts'
import type { P2PData } from '../../src/types/data.ts'
import { decodeP2PData, decodeP2PSignedHeader } from '../../src/types/codec.ts'
import { type Genesis, parseGenesis } from '../../src/types/genesis.ts'
import type { P2PSignedHeader } from '../../src/types/header.ts'
import { fromHex } from '../../src/util/bytes.ts'
import { EvolveError } from '../../src/util/errors.ts'

/** A chain recorded from real nodes, and what it ended on. */
export interface Recording {
  readonly genesis: Genesis
  /** From the initial height upward, without gap. */
  readonly blocks: readonly { readonly header: P2PSignedHeader; readonly data: P2PData }[]
  readonly final: {
    readonly height: number
    readonly lastHeaderHash: Uint8Array
    readonly stateRoot: Uint8Array
  }
  /** Bytes of all records as they travel between peers. */
  readonly bytes: number
}

/** Larger than any block between peers. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024

/** How many blocks at the end of a recording the peer announces by gossip; what lies below is there from the start. */
export const GOSSIPED = 100
/** Milliseconds between two of them. */
export const GOSSIP_INTERVAL = 20

/** Reads a recording: `genesis.json`, `chain.bin.gz` and `final.json` of a folder (its README tells the format). */
export function readRecording(folder: string): Recording {
  const records = readRecords(folder)
  return {
    genesis: readGenesis(folder),
    blocks: records.map(({ header, data }) => ({
      header: decodeP2PSignedHeader(header),
      data: decodeP2PData(data),
    })),
    final: readFinal(folder),
    bytes: records.reduce((sum, { header, data }) => sum + header.length + data.length, 0),
  }
}

/** A file of a recording. Throws `INVALID_RECORDING`, naming it. */
export function readBytes(folder: string, name: string): Buffer {
  try {
    return readFileSync(join(folder, name))
  } catch (cause) {
    throw new EvolveError('INVALID_RECORDING', `cannot read ${join(folder, name)}`, { cause })
  }
}

/** The genesis of a recording. */
export function readGenesis(folder: string): Genesis {
  return parseGenesis(readBytes(folder, 'genesis.json').toString('utf8'))
}

/** The blocks of a recording as they travel between peers, from the initial height upward. */
export function readRecords(
  folder: string,
): readonly { readonly header: Uint8Array; readonly data: Uint8Array }[] {
  const frames: Uint8Array[] = []
  const reader = new FrameReader(MAX_RECORD_BYTES)
  reader.push(new Uint8Array(gunzipSync(readBytes(folder, 'chain.bin.gz'))), (frame) => {
    frames.push(frame)
  })
  if (!reader.atBoundary) throw new EvolveError('INVALID_RECORDING', 'chain.bin.gz ends inside a record')
  const records = []
  for (let index = 0; index + 1 < frames.length; index += 2) {
    const [header, data] = frames.slice(index, index + 2)
    if (header !== undefined && data !== undefined) records.push({ header, data })
  }
  return records
}

/** What a recording ended on. */
export function readFinal(folder: string): Recording['final'] {
  const parsed: unknown = JSON.parse(readBytes(folder, 'final.json').toString('utf8'))
  if (typeof parsed === 'object' && parsed !== null) {
    const {
      height,
      last_header_hash: hash,
      state_root: root,
    }: { height?: unknown; last_header_hash?: unknown; state_root?: unknown } = parsed
    const lastHeaderHash = typeof hash === 'string' ? fromHex(hash) : undefined
    const stateRoot = typeof root === 'string' ? fromHex(root) : undefined
    if (typeof height === 'number' && lastHeaderHash !== undefined && stateRoot !== undefined) {
      return { height, lastHeaderHash, stateRoot }
    }
  }
  throw new EvolveError('INVALID_RECORDING', 'final.json needs height, last_header_hash and state_root')
}
