/** Characters of one piece, about. */
const PIECE = 64 * 1024

/**
 * Entries as one JSON object, in pieces; what is no UTF-8 shows as U+FFFD.
 * Source: Go encoding/json, which also escapes what HTML would take for its own.
 */
export async function* storeJson(
  entries: AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const text = (bytes: Uint8Array): string => escapeHtml(JSON.stringify(decoder.decode(bytes)))
  let piece = '{'
  let separator = ''
  for await (const [key, value] of entries) {
    piece += `${separator}${text(key)}:${text(value)}`
    separator = ','
    if (piece.length < PIECE) continue
    yield piece
    piece = ''
  }
  yield `${piece}}\n`
}

function escapeHtml(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
