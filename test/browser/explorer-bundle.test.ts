import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { filesBelow } from './explorer-rig.ts'

const files = filesBelow(new URL('../../dist/explorer/', import.meta.url)).map((path) => ({
  path,
  bytes: readFileSync(path),
}))
const texts = (ending: string) =>
  files.filter(({ path }) => path.endsWith(ending)).map(({ bytes }) => bytes.toString('utf8'))

describe('what is served as the page', () => {
  test('is less than 100 kB, gzipped, all of it together', () => {
    const size = files.reduce((sum, { bytes }) => sum + gzipSync(bytes, { level: 9 }).length, 0)
    expect(files.length).toBeGreaterThan(3)
    expect(size).toBeGreaterThan(50_000)
    expect(size).toBeLessThan(100_000)
  })

  test('has its scripts and styles in files of their own, under names that change with them', () => {
    const [index = ''] = texts('index.html')
    expect(index).toMatch(/<script type="module"[^>]* src="\/assets\/index-[\w-]{8}\.js"><\/script>/)
    expect(index).toMatch(/<link rel="stylesheet"[^>]* href="\/assets\/index-[\w-]{8}\.css">/)
    expect(index.match(/<script/g)).toHaveLength(1)
    expect(index).not.toMatch(/<style|style=|\son\w+=|javascript:|data:/)
  })

  test('names no other place, and makes no code out of text', () => {
    expect(texts('.css')).toHaveLength(1)
    for (const css of texts('.css')) expect(css).not.toMatch(/url\(|@import|data:/)
    expect(texts('.js').length).toBeGreaterThan(0)
    const made = texts('.js').flatMap(
      (script) => script.match(/.{0,40}(\beval\(|new Function\(|document\.write)/) ?? [],
    )
    expect(made).toEqual([])
  })

  test('comes from sources that make no markup out of text', () => {
    const sources = filesBelow(new URL('../../apps/explorer/src/', import.meta.url)).filter((path) =>
      /tsx?$/.test(path),
    )
    expect(sources.length).toBeGreaterThan(30)
    const made = sources.filter((path) =>
      /innerHTML|insertAdjacentHTML|DOMParser/i.test(readFileSync(path, 'utf8')),
    )
    expect(made).toEqual([])
  })
})
