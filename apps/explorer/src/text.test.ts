import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hexDump, previewText, shownText } from './text.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('text', () => {
  test.each([
    ['name=Ada', 'name=Ada'],
    ['two\nlines\tand a tab', 'two\nlines\tand a tab'],
    ['größer 漢字 🙂', 'größer 漢字 🙂'],
    ['<b>"&', '<b>"&'],
  ])('%j is shown as it is', (text, shown) =>
    expect(shownText(bytes(text))).toEqual({ text: shown, escaped: false }),
  )

  test.each([
    ['a\u0000bc', 'a\\u{0}bc'],
    // Turns the direction of what follows.
    ['pay \u202E001', 'pay \\u{202e}001'],
    ['a\u2066b\u2069c', 'a\\u{2066}b\\u{2069}c'],
    // Cannot be seen at all.
    ['same\u200B', 'same\\u{200b}'],
    ['\uFEFFmark', '\\u{feff}mark'],
    ['line\u2028end', 'line\\u{2028}end'],
    ['tag\u{E0041}s', 'tag\\u{e0041}s'],
  ])('%j is shown with escapes', (text, shown) =>
    expect(shownText(bytes(text))).toEqual({ text: shown, escaped: true }),
  )

  test('what is no UTF-8, or mostly cannot be seen, is no text', () => {
    expect(shownText(Uint8Array.of(0xff, 0xfe))).toBeUndefined()
    expect(shownText(Uint8Array.of(0, 1, 2, 3, 65))).toBeUndefined()
  })

  test('a character that is cut off at the end is left out, where that is said', () => {
    const cut = bytes('größe').subarray(0, 3)
    expect(shownText(cut)).toBeUndefined()
    expect(shownText(cut, { cut: true })).toEqual({ text: 'gr', escaped: false })
  })

  test('nothing that cannot be seen gets through, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (some, cut) => {
        const shown = shownText(some, { cut })?.text ?? ''
        expect(shown).not.toMatch(/(?![\n\r\t])[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u)
      }),
    )
  })

  test('a preview is one line', () => {
    expect(previewText(bytes('a\n\n b'))).toBe('a b')
    expect(previewText(bytes('é'.repeat(100)))).toBe(`${'é'.repeat(80)}…`)
    expect(previewText(new Uint8Array(0))).toBe('')
  })
})

test('a dump has sixteen bytes a line', () => {
  expect(hexDump(new Uint8Array(0))).toBe('')
  expect(hexDump(bytes('0123456789abcdef\n~é'))).toBe(
    [
      '000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef',
      '000010  0a 7e c3 a9                                      ·~··',
    ].join('\n'),
  )
})
