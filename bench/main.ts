/*
 * npm run bench [-- NAME...]
 *
 * Measures this machine's limits, then each part, alone, one after another; prints tables, and everything as one line
 * of JSON at the end.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { goVersion } from '../test/interop/go-peer.ts'
import { createChains } from './chain.ts'
import { killAll } from './child.ts'
import { measureLimits } from './limits.ts'
import type { BenchContext, Table } from './part.ts'
import { PARTS } from './parts.ts'
import { formatNumber, formatTable, reached } from './report.ts'

const names = process.argv.slice(2)
const unknown = names.filter((name) => !PARTS.some((part) => part.name === name))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are:`)
  for (const { name, about } of PARTS) console.error(`  ${name.padEnd(12)} ${about}`)
  process.exit(2)
}

const begun = performance.now()
const folder = mkdtempSync(join(tmpdir(), 'evolve-bench-'))
const log = (line: string): void =>
  console.error(`[${((performance.now() - begun) / 1_000).toFixed(0)} s] ${line}`)

try {
  await measureAll()
} finally {
  killAll()
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

async function measureAll(): Promise<void> {
  const go = goVersion()
  log('measuring the limits of this machine')
  const limits = await measureLimits(folder)
  const machine = {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    node: process.versions.node,
    go: go ?? 'none',
    cpu: cpus()[0]?.model ?? 'unknown',
    ...limits,
  }
  console.log(
    `${machine.date}, commit ${machine.commit}, ${limits.cores} × ${machine.cpu}, Node ${machine.node}, ${machine.go}`,
  )
  console.log(
    `limits: ${formatNumber(limits.verificationsPerThread)} signature checks/s a thread, ` +
      `${formatNumber(limits.syncedWrites)} synced writes/s, ${formatNumber(limits.loopbackBytes / 2 ** 20)} MiB/s on loopback`,
  )
  const chains = createChains(join(folder, 'chains'), log)
  const results: Record<string, readonly Table[]> = {}
  for (const part of PARTS) {
    if (names.length > 0 && !names.includes(part.name)) continue
    log(`${part.name}: ${part.about}`)
    const scratch = join(folder, part.name)
    mkdirSync(scratch)
    const context: BenchContext = { scratch, limits, chains, go, log }
    const tables = await part.run(context)
    rmSync(scratch, { recursive: true, force: true })
    results[part.name] = tables
    for (const table of tables) console.log(formatTable(table))
  }
  const figures = Object.values(results).flatMap((tables) => tables.flatMap((table) => table.figures))
  const missed = figures.filter((figure) => reached(figure) === false)
  console.log(
    `\n${figures.length} figures in ${Math.round((performance.now() - begun) / 1_000)} s, ${missed.length} goals missed`,
  )
  console.log(JSON.stringify({ machine, results }))
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}
