/*
 * Bytes that anybody may have made, as text that can be looked at safely.
 */

/**
 * Characters that show nothing, or change how others are shown: controls, those that turn the direction of writing,
 * those without width. A transaction must not look like another one.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu
/** Of those, the ones that text has anyway. */
const PLAIN = new Set(['\n', '\t', '\r\n', '\r'])

/** A text, and whether some of its characters are written as escapes. */
export interface Shown {
  readonly text: string
  readonly escaped: boolean
}

/**
 * Text of UTF-8 bytes, with characters that cannot be seen written as `\u{…}`. Undefined when the bytes are no UTF-8,
 * or mostly such characters. With `cut` the last character may be incomplete.
 */
export function shownText(bytes: Uint8Array, { cut = false } = {}): Shown | undefined {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut })
  } catch {
    return undefined
  }
  let escapes = 0
  const shown = text.replace(UNSEEN, (character) => {
    if (PLAIN.has(character)) return character
    escapes++
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  })
  if (escapes * 2 > text.length) return undefined
  return { text: shown, escaped: escapes > 0 }
}

/** Bytes that are looked at for a preview. */
const PREVIEW_BYTES = 160

/** The beginning of a transaction as one line, or undefined when it is no text. */
export function previewText(bytes: Uint8Array): string | undefined {
  const cut = bytes.length > PREVIEW_BYTES
  const shown = shownText(bytes.subarray(0, PREVIEW_BYTES), { cut })
  return shown === undefined ? undefined : `${shown.text.replaceAll(/\s+/g, ' ')}${cut ? '…' : ''}`
}

/** Bytes in one line of a dump. */
const LINE = 16

/** Lines of a hex dump: offset, bytes, and what of them is ASCII. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = []
  for (let start = 0; start < bytes.length; start += LINE) {
    const part = [...bytes.subarray(start, start + LINE)]
    const hex = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const ascii = part.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·')).join('')
    lines.push(`${start.toString(16).padStart(6, '0')}  ${hex.padEnd(LINE * 3 - 1)}  ${ascii}`)
  }
  return lines.join('\n')
}
