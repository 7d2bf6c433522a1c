import { decodeP2PData, decodeP2PSignedHeader } from '../../src/types/codec.ts'
import { dataHash, type P2PData } from '../../src/types/data.ts'
import { headerHash, type P2PSignedHeader } from '../../src/types/header.ts'
import { fromHex } from '../../src/util/bytes.ts'

/** A block of the file's chain. */
export interface ChainBlock {
  readonly header: P2PSignedHeader
  readonly data: P2PData
  readonly headerHash: Uint8Array
  readonly dataHash: Uint8Array
}

/** The file's chain, which other sections build upon. */
export interface FileChain {
  readonly chainId: string
  /** By height. */
  readonly blocks: ReadonlyMap<number, ChainBlock>
}

function child(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

/** The chain of a file, or an empty one: that it is not as it should be shows in the section of its own. */
export function readChain(file: unknown): FileChain {
  const section = child(file, 'chain')
  const blocks = new Map<number, ChainBlock>()
  const listed = child(section, 'blocks')
  const bytes = (value: unknown): Uint8Array =>
    (typeof value === 'string' ? fromHex(value) : undefined) ?? new Uint8Array(0)
  for (const block of Array.isArray(listed) ? listed : []) {
    try {
      const header = decodeP2PSignedHeader(bytes(child(block, 'p2p_header')))
      const data = decodeP2PData(bytes(child(block, 'p2p_data')))
      blocks.set(header.header.height, {
        header,
        data,
        headerHash: headerHash(header.header),
        dataHash: dataHash(data),
      })
    } catch {
      // Reported where the section itself is checked.
    }
  }
  const chainId = child(section, 'chain_id')
  return { chainId: typeof chainId === 'string' ? chainId : '', blocks }
}
