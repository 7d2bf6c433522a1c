import { utf8 } from '../../util/bytes.ts'

const PERCENT = 0x25
const PLUS = 0x2b
const SPACE = 0x20

/**
 * The first value of a parameter in the query of a request target, as bytes: they need not be UTF-8. Parts with a
 * broken escape or a semicolon do not count. undefined when there is none.
 * Source: Go net/url ParseQuery.
 */
export function queryValue(target: string, name: string): Uint8Array | undefined {
  const [, query = ''] = /^[^?]*\?(.*)$/s.exec(target) ?? []
  const wanted = utf8(name).toString()
  for (const part of query.split('&')) {
    const equals = part.indexOf('=')
    const [key, value] = equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)]
    if (part.includes(';') || unescape(key)?.toString() !== wanted) continue
    const bytes = unescape(value)
    if (bytes !== undefined) return bytes
  }
  return undefined
}

/** The bytes of an escaped text; undefined when an escape is broken. */
function unescape(text: string): Uint8Array | undefined {
  const bytes = utf8(text)
  const out: number[] = []
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0
    if (byte !== PERCENT) {
      out.push(byte === PLUS ? SPACE : byte)
      continue
    }
    const hex = String.fromCharCode(bytes[i + 1] ?? 0, bytes[i + 2] ?? 0)
    if (!/^[\da-f]{2}$/i.test(hex)) return undefined
    out.push(Number.parseInt(hex, 16))
    i += 2
  }
  return Uint8Array.from(out)
}
