/*
 * The body of a JSON-RPC answer whose result may be a very long list, read piece by piece: each element is handed out
 * as soon as it is whole, and of the body only what stands around the list is kept. The body is JSON exactly when that
 * rest and every element are; so each is left to JSON.parse, and here is looked for nothing but where elements end.
 */
import { concatBytes, fromUtf8 } from '../../util/bytes.ts'

/** Takes the elements of a list as they come, in order. It must not throw. */
export interface ListSink {
  element(value: unknown): void
  /** An element was larger than allowed. Of it nothing is known but that its brackets and strings close. */
  skipped(): void
}

/** Bounds of a {@link ListScanner}, in bytes. */
export interface ListLimits {
  /** The largest element; larger ones are skipped. */
  readonly maxElementBytes: number
  /** What stands around the list, or in its place. */
  readonly maxRestBytes: number
}

/** Whether a body may go on; it is not JSON, or has two results; what stands around its list is too large. */
export type ScanVerdict = 'more' | 'malformed' | 'too-large'

/** See {@link createListScanner}. */
export interface ListScanner {
  /** Takes the next bytes, which nobody may write to any more. Nothing is taken after a verdict other than `more`. */
  push(bytes: Uint8Array): ScanVerdict
  /** Text of the body with the list emptied; undefined when it cannot be JSON. Called once, at the end. */
  rest(): string | undefined
  /** Bytes held now. */
  readonly held: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

const RESULT = 'result'
/** Bytes of the longest way to write {@link RESULT}: every letter of it escaped. */
const MAX_KEY_BYTES = RESULT.length * 6

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** What a text is as JSON; undefined when it is none. */
function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}

/** Pieces of bytes that belong together, until they are taken. */
function createPieces() {
  let pieces: Uint8Array[] = []
  let length = 0
  return {
    get length() {
      return length
    },
    add(piece: Uint8Array): void {
      if (piece.length > 0) pieces.push(piece)
      length += piece.length
    },
    take(): Uint8Array {
      const [first] = pieces
      const whole = pieces.length === 1 && first !== undefined ? first : concatBytes(...pieces)
      pieces = []
      length = 0
      return whole
    },
  }
}

/** Makes a {@link ListScanner} for one body. */
export function createListScanner(
  sink: ListSink,
  { maxElementBytes, maxRestBytes }: ListLimits,
): ListScanner {
  const rest = createPieces()
  const element = createPieces()
  const key = createPieces()
  let verdict: ScanVerdict = 'more'
  /** Brackets that are open around us. */
  let depth = 0
  let inString = false
  /** Whether a backslash stands before the next byte. */
  let escaped = false
  /** Whether a string here is a key of the outermost object, and whether the last one was that of the result. */
  let atKey = false
  let isResult = false
  let results = 0
  /** Whether the result begins with the next byte that is no white space. */
  let awaited = false
  let inList = false
  let first = true
  let skipping = false

  function grow(piece: Uint8Array): void {
    if (!inList) {
      // A copy: the rest outlives the bytes that stood beside it.
      rest.add(piece.slice())
      if (rest.length > maxRestBytes) verdict = 'too-large'
    } else if (skipping || element.length + piece.length > maxElementBytes) {
      skipping = true
      element.take()
    } else {
      element.add(piece)
    }
  }

  function endElement(byte: number): void {
    const alone = first && byte === CLOSE_LIST
    first = false
    if (skipping) {
      skipping = false
      return sink.skipped()
    }
    const bytes = element.take()
    if (alone && bytes.every(isSpace)) return
    const value = parsed(fromUtf8(bytes))
    if (value === undefined) verdict = 'malformed'
    else sink.element(value)
  }

  /** Where the closing quote of the string is that goes on at `from`; the length when it goes on after these bytes. */
  function endOfString(bytes: Uint8Array, from: number): number {
    let at = from
    let end = -1
    for (;;) {
      if (escaped) {
        if (at >= bytes.length) return at
        escaped = false
        at++
      }
      if (end < at) {
        const quote = bytes.indexOf(QUOTE, at)
        end = quote === -1 ? bytes.length : quote
      }
      const backslash = bytes.subarray(at, end).indexOf(BACKSLASH)
      if (backslash === -1) return end
      escaped = true
      at += backslash + 1
    }
  }

  function endKey(): void {
    const bytes = key.take()
    isResult = bytes.length <= MAX_KEY_BYTES && parsed(`"${fromUtf8(bytes)}"`) === RESULT
  }

  /** Takes a byte outside of strings and of the list. Returns whether it opens the list. */
  function outside(byte: number): boolean {
    if (awaited && !isSpace(byte)) {
      awaited = false
      if (byte === OPEN_LIST) return true
    }
    switch (byte) {
      case OPEN_OBJECT:
      case OPEN_LIST:
        atKey = byte === OPEN_OBJECT && depth === 0
        depth++
        break
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        atKey = false
        depth--
        break
      case COMMA:
        atKey = depth === 1
        break
      case COLON:
        awaited = atKey && isResult
        if (awaited && ++results > 1) verdict = 'malformed'
        atKey = false
    }
    return false
  }

  /** Takes a byte in the list, outside of strings. Returns whether it ends an element. */
  function inside(byte: number): boolean {
    switch (byte) {
      case OPEN_OBJECT:
      case OPEN_LIST:
        depth++
        return false
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        if (depth === 1) return byte === CLOSE_LIST
        depth--
        return false
      default:
        return byte === COMMA && depth === 1
    }
  }

  function scan(bytes: Uint8Array): void {
    /** Where those begin that were put nowhere yet. */
    let begun = 0
    let at = 0
    while (at < bytes.length && verdict === 'more') {
      if (inString) {
        const end = endOfString(bytes, at)
        if (atKey && key.length <= MAX_KEY_BYTES) key.add(bytes.slice(at, end))
        at = end + 1
        if (end === bytes.length) break
        inString = false
        if (atKey) endKey()
        continue
      }
      const byte = bytes[at] ?? 0
      at++
      if (byte === QUOTE) {
        inString = true
        awaited = false
      } else if (!inList) {
        if (!outside(byte)) continue
        grow(bytes.subarray(begun, at))
        begun = at
        inList = true
      } else if (inside(byte)) {
        grow(bytes.subarray(begun, at - 1))
        endElement(byte)
        inList = byte !== CLOSE_LIST
        // The bracket belongs to the rest.
        begun = inList ? at : at - 1
      }
    }
    if (verdict === 'more') grow(bytes.subarray(begun))
  }

  return {
    push(bytes) {
      if (verdict === 'more') scan(bytes)
      return verdict
    },
    rest: () => (verdict === 'more' ? fromUtf8(rest.take()) : undefined),
    get held() {
      return rest.length + element.length + key.length
    },
  }
}
