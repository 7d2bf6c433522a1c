import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { METRICS } from './table.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The code of this package, without the table itself, tests and what is generated. */
const sources = globSync('**/*.ts', { cwd: root })
  .filter((file) => !/\.test\.ts$|^telemetry\/table\/|\/gen\//.test(file))
  .map((file) => ({ file, text: readFileSync(`${root}${file}`, 'utf8') }))

/** Names by their constants: `SUBMIT_METRICS.pending`, `INCLUSION_HEIGHT_METRIC`. */
const constants = new Map(
  sources.flatMap(({ text }) => [
    ...[...text.matchAll(/export const (\w+_METRICS) = \{(.*?)\n\} as const/gs)].flatMap(
      ([, table = '', body = '']) =>
        [...body.matchAll(/^ {2}(\w+): '(\w+)',/gm)].map(
          ([, key = '', name = '']) => [`${table}.${key}`, name] as const,
        ),
    ),
    ...[...text.matchAll(/export const (\w+_METRIC) = '(\w+)'/g)].map(
      ([, constant = '', name = '']) => [constant, name] as const,
    ),
  ]),
)

interface Report {
  readonly how: string
  readonly name: string
  /** Undefined where the call does not show them. */
  readonly labels: readonly string[] | undefined
  readonly file: string
}

/** The calls that report something. */
const reports: Report[] = sources.flatMap(({ file, text }) =>
  [
    ...text.matchAll(
      /etrics\??\.(count|gauge|observe)\(\s*('?)([\w.]+)\2((?:[^()]|\([^()]*\)|\((?:[^()]|\([^()]*\))*\))*)\)/g,
    ),
  ].map(([, how = '', quote, written = '', rest = '']) => ({
    how,
    name: quote === '' ? (constants.get(written) ?? `the constant ${written}`) : written,
    labels: labelsOf(rest),
    file,
  })),
)

/** Labels of a call, from what is written behind the name. */
function labelsOf(rest: string): string[] | undefined {
  const [, body] = /\{([^{}]*)\},?\s*$/.exec(rest) ?? []
  if (body === undefined) return []
  return body.split(',').flatMap((part) => /^\s*(\w+)/.exec(part)?.[1] ?? [])
}

const byName = new Map(METRICS.map((metric) => [metric.name, metric]))

describe('the table of metrics', () => {
  test('all calls were seen', () => {
    const written = sources.flatMap(({ file, text }) =>
      [...text.matchAll(/etrics\??\.(?:count|gauge|observe)\(/g)].map(() => file),
    )
    expect(reports.length).toBeGreaterThan(70)
    expect(reports.map(({ file }) => file)).toEqual(written)
  })

  test('has every name that is reported', () => {
    expect(reports.filter(({ name }) => !byName.has(name))).toEqual([])
  })

  test('has no name that nobody reports', () => {
    const reported = new Set(reports.map(({ name }) => name))
    expect(METRICS.map(({ name }) => name).filter((name) => !reported.has(name))).toEqual([])
  })

  test('has each name once, with the unit that its kind has', () => {
    expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length)
    for (const { name, type, known } of METRICS) {
      expect(name).toMatch(/^[a-z][a-z\d_]*$/)
      if (known === true) continue
      expect({ name, total: name.endsWith('_total') }).toEqual({ name, total: type === 'counter' })
      if (type === 'histogram') expect(name).toMatch(/_seconds$|_operations$|_bytes$/)
    }
  })

  test('says how each is reported, and with which labels', () => {
    const ways = { counter: ['count'], gauge: ['gauge', 'count'], histogram: ['observe'] }
    for (const { name, how, labels, file } of reports) {
      const metric = byName.get(name)
      if (metric === undefined) continue
      expect({ name, file, way: ways[metric.type].includes(how) }).toEqual({ name, file, way: true })
      expect({ name, file, labels: labels?.toSorted() }).toEqual({
        name,
        file,
        labels: Object.keys(metric.labels ?? {}).toSorted(),
      })
    }
  })

  test('gives histograms bounds that rise, and nobody else any', () => {
    for (const { name, type, buckets = [] } of METRICS) {
      expect({ name, any: buckets.length > 0 }).toEqual({ name, any: type === 'histogram' })
      expect(buckets.toSorted((one, other) => one - other)).toEqual(buckets)
    }
  })
})
