/*
 * npm run vectors -- FILE
 *
 * Checks a file of golden vectors. Names what is not as the file says, one line each, and ends with the line
 * `N passed, N failed`. Exit code 0 when nothing failed, 1 when something did, 2 when FILE cannot be used.
 */
import { readFileSync } from 'node:fs'
import { systemEnv } from '../src/core/env.ts'
import { describeError } from '../src/util/errors.ts'
import { checkVectors, type Mismatch } from '../test/vectors/check.ts'

const [path] = process.argv.slice(2)
process.exitCode = await main(path)

async function main(file: string | undefined): Promise<number> {
  if (file === undefined) return unusable('usage: npm run vectors -- FILE')
  let vectors: unknown
  try {
    vectors = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    return unusable(`${file}: ${describeError(error)}`)
  }
  if (typeof vectors !== 'object' || vectors === null || Array.isArray(vectors)) {
    return unusable(`${file}: expected a JSON object with sections`)
  }
  const { passed, mismatches } = await checkVectors(vectors, { now: systemEnv.now() })
  for (const mismatch of mismatches) console.log(line(mismatch))
  console.log(`${passed} passed, ${mismatches.length} failed`)
  return mismatches.length === 0 ? 0 : 1
}

function unusable(message: string): number {
  console.error(message)
  return 2
}

function line({ section, name, field, expected, got }: Mismatch): string {
  const place = [section, name, field].filter((part) => part !== '').join(' / ')
  const [shownExpected, shownGot] = shorten(expected, got)
  return `FAILED ${place}: expected ${shownExpected}, got ${shownGot}`
}

/** Long texts are cut to what stands around their first difference. */
function shorten(expected: string, got: string): readonly [string, string] {
  let same = 0
  while (same < expected.length && expected[same] === got[same]) same++
  const start = Math.max(0, same - 40)
  const cut = (text: string): string => {
    const end = Math.min(text.length, start + 160)
    return `${start > 0 ? `…(${start})` : ''}${text.slice(start, end)}${end < text.length ? '…' : ''}`
  }
  return [cut(expected), cut(got)]
}
