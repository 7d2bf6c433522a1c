import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
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

/** How many blocks at the end of a recording the peer announces by gossip; what lies below is there from the start. */
export const GOSSIPED = 100
/** Milliseconds between two of them. */
export const GOSSIP_INTERVAL = 20

/** Reads a recording: `genesis.json`, `chain.bin.gz` and `final.json` of a folder (its README tells the format). */
export function readRecording(folder: string): Recording {
  const records = splitRecords(gunzipSync(read(folder, 'chain.bin.gz')))
  const blocks = []
  for (let index = 0; index + 1 < records.length; index += 2) {
    const [header, data] = records.slice(index, index + 2)
    if (header === undefined || data === undefined) break
    blocks.push({ header: decodeP2PSignedHeader(header), data: decodeP2PData(data) })
  }
  return {
    genesis: readGenesis(folder),
    blocks,
    final: readFinal(folder),
    bytes: records.reduce((sum, record) => sum + record.length, 0),
  }
}

function read(folder: string, name: string): Buffer {
  try {
    return readFileSync(join(folder, name))
  } catch (cause) {
    throw new EvolveError('INVALID_RECORDING', `cannot read ${join(folder, name)}`, { cause })
  }
}

/** The genesis of a recording. */
export function readGenesis(folder: string): Genesis {
  return parseGenesis(read(folder, 'genesis.json').toString('utf8'))
}

/** Records behind uvarint lengths. */
function splitRecords(bytes: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = []
  let offset = 0
  while (offset < bytes.length) {
    let length = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[offset++]
      if (byte === undefined) throw new EvolveError('INVALID_RECORDING', 'chain.bin.gz ends inside a length')
      length += (byte & 0x7f) * shift
      if (byte < 0x80) break
    }
    if (offset + length > bytes.length)
      throw new EvolveError('INVALID_RECORDING', 'chain.bin.gz ends inside a record')
    records.push(bytes.subarray(offset, offset + length))
    offset += length
  }
  return records
}

/** What a recording ended on. */
export function readFinal(folder: string): Recording['final'] {
  const parsed: unknown = JSON.parse(read(folder, 'final.json').toString('utf8'))
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
