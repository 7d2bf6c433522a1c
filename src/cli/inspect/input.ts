/*
 * What a command is given to look into: as an argument, from a file or from standard input; in hex, base64 or as it is.
 */
import { readFile, stat } from 'node:fs/promises'
import { fromBase64, fromHex, fromUtf8, utf8 } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { systemErrorCode } from '../../util/files.node.ts'
import { type Console, readAll } from '../console.ts'

/** Most bytes of a file or of standard input that are read. */
export const MOST_BYTES: number = 256 * 1024 * 1024

/** How bytes were written down. `text` is what is no encoding: JSON, say. */
export type Encoding = 'hex' | 'base64' | 'binary' | 'text'

/** What was given. */
export interface Given {
  /** For people: `argument`, `standard input`, or the path of a file. */
  readonly source: string
  readonly encoding: Encoding
  /** What the encoding stands for. */
  readonly bytes: Uint8Array
  /** The text as it was given; undefined for what is binary. */
  readonly text: string | undefined
}

/** Printable ASCII and white space: what hex, base64 and JSON look like in a file. */
const TEXT = /^[\t\n\r\u0020-\u007e\u0080-\uffff]*$/
const HEX = /^(?:0x)?[\da-f]+$/i
const BASE64 = /^[\w+/-]+={0,2}$/
/** Shorter ones are words. */
const SHORTEST_ENCODED = 8
/** Base64 may look like this too, but no message begins with such bytes. */
const PATH = /^[/.~]|\.\w{1,5}$/

/** Bytes of base64, with the alphabet of URLs or the usual one, padded or not; undefined if it is neither. */
function lenientBase64(text: string): Uint8Array | undefined {
  const usual = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
  return fromBase64(usual.padEnd(Math.ceil(usual.length / 4) * 4, '='))
}

/** Hex or base64 of bytes, whatever white space or quotes stand in and around it; undefined when it is neither. */
function decodeText(text: string): Pick<Given, 'encoding' | 'bytes'> | undefined {
  const plain = text.replaceAll(/\s+/g, '').replace(/^(["'])(.*)\1$/, '$2')
  if (HEX.test(plain)) {
    const bytes = fromHex(plain.replace(/^0x/i, ''))
    if (bytes !== undefined) return { encoding: 'hex', bytes }
  }
  const bytes = BASE64.test(plain) ? lenientBase64(plain) : undefined
  return bytes === undefined ? undefined : { encoding: 'base64', bytes }
}

function fromText(source: string, text: string): Given {
  return { source, text, ...(decodeText(text) ?? { encoding: 'text', bytes: utf8(text) }) }
}

function fromBytes(source: string, bytes: Uint8Array): Given {
  const text = fromUtf8(bytes)
  if (text !== undefined && TEXT.test(text)) return fromText(source, text)
  return { source, encoding: 'binary', bytes, text: undefined }
}

/** The content of a file; undefined when there is none of this name. */
async function contentOf(path: string): Promise<Uint8Array | undefined> {
  if (path.includes('\0')) return undefined
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw new EvolveError('USAGE', `${path} is a folder, expected a file`)
    if (found.size > MOST_BYTES)
      throw new EvolveError('USAGE', `${path} has ${found.size} bytes, more than ${MOST_BYTES} are not read`)
    return new Uint8Array(await readFile(path))
  } catch (error) {
    // Too long for a name is what most encoded things are.
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemErrorCode(error) ?? '')) return undefined
    if (error instanceof EvolveError) throw error
    throw new EvolveError('FILE_FAILED', `cannot read ${path}`, { cause: error })
  }
}

/**
 * Reads what an argument names: `-` is standard input, the name of a file its content, anything else is meant itself.
 * Rejects with `USAGE` when it is nothing of these.
 */
export async function readGiven(argument: string, console: Pick<Console, 'input'>): Promise<Given> {
  if (argument === '-') {
    const bytes = await readAll(console.input(), MOST_BYTES)
    if (bytes.length === 0) throw new EvolveError('USAGE', 'standard input is empty')
    return fromBytes('standard input', bytes)
  }
  if (argument.trim() === '') throw new EvolveError('USAGE', 'the input is empty')
  const content = await contentOf(argument)
  if (content !== undefined) {
    if (content.length === 0) throw new EvolveError('USAGE', `${argument} is empty`)
    return fromBytes(argument, content)
  }
  if (PATH.test(argument)) throw new EvolveError('USAGE', `there is no file ${argument}`)
  const given = fromText('argument', argument)
  if (/^\s*[{[]/.test(argument)) return { ...given, encoding: 'text' }
  if (given.encoding !== 'text' && argument.length >= SHORTEST_ENCODED) return given
  throw new EvolveError('USAGE', `${shorten(argument)} is no file, and ${whyNotEncoded(argument)}`)
}

/** Why a text is neither hex nor base64, and where. */
export function whyNotEncoded(text: string): string {
  const plain = text.trim()
  if (HEX.test(plain) && plain.length >= SHORTEST_ENCODED)
    return `it has an odd number of hex digits, ${plain.replace(/^0x/i, '').length}`
  const wrong = /[^\w+/=\s-]/.exec(plain)
  if (wrong !== null)
    return `neither hex nor base64: ${JSON.stringify(wrong[0])} at character ${wrong.index + 1} is in neither`
  return plain.length < SHORTEST_ENCODED ? 'too short for hex or base64' : 'neither hex nor base64'
}

/** A text in quotes, cut where it is long. */
function shorten(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}
