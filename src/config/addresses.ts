/*
 * Checks of addresses and other structured texts. Each returns what is expected when the text is not that, undefined when it is.
 */
import { multiaddr } from '@multiformats/multiaddr'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'

type Component = ReturnType<ReturnType<typeof multiaddr>['getComponents']>[number]

function components(text: string): readonly Component[] {
  try {
    return text.startsWith('/') ? multiaddr(text).getComponents() : []
  } catch {
    return []
  }
}

/** Codec of a libp2p key in a CID. */
const LIBP2P_KEY = 0x72
const IDENTITY = 0x00
const SHA2_256 = 0x12

/** Whether `text` is a peer id: a multihash of a public key in base58, or a CID of one. */
function isPeerId(text: string): boolean {
  try {
    if (!/^(?:1|Qm)/.test(text)) return CID.parse(text).code === LIBP2P_KEY
    const [hash, length, ...digest] = base58btc.baseDecode(text)
    return (hash === IDENTITY || hash === SHA2_256) && length === digest.length && length >= 32
  } catch {
    return false
  }
}

/** A multiaddress to listen on. */
export function checkListenAddress(text: string): string | undefined {
  if (components(text).length > 1) return undefined
  return 'expected a multiaddress such as /ip4/0.0.0.0/tcp/7676'
}

/** A multiaddress of a peer, its id at the end. */
export function checkPeerAddress(text: string): string | undefined {
  const parts = components(text)
  const last = parts.at(-1)
  if (parts.length > 1 && last?.name === 'p2p' && isPeerId(last.value ?? '')) return undefined
  return 'expected multiaddresses such as /ip4/203.0.113.7/tcp/7676/p2p/12D3Koo…, separated by commas'
}

/** A peer id. */
export function checkPeerId(text: string): string | undefined {
  return isPeerId(text) ? undefined : 'expected peer ids such as 12D3Koo…, separated by commas'
}

/** `host:port` or `:port`; IPv6 addresses in brackets. */
export function checkHostPort(text: string): string | undefined {
  const [, port] = /^(?:[^\s:/[\]]*|\[[\da-f:.]+\]):(\d{1,5})$/i.exec(text) ?? []
  if (port !== undefined && Number(port) <= 65_535) return undefined
  return 'expected host:port such as 127.0.0.1:7331'
}

/** Where a DA node is: a URL, or `host:port`; nothing for no DA node. */
export function checkDaAddress(text: string): string | undefined {
  const trimmed = text.trim()
  if (trimmed === '' || checkHostPort(trimmed) === undefined) return undefined
  const url = URL.parse(trimmed)
  if (url !== null && /^(?:https?|wss?):$/.test(url.protocol) && url.hostname !== '') return undefined
  return 'expected an address such as http://localhost:7980'
}

/** A JSON object, or nothing. */
export function checkJsonObject(text: string): string | undefined {
  if (text.trim() === '') return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return undefined
  } catch {
    // Said below.
  }
  return 'expected a JSON object such as {"gas_price": 0.01}'
}
