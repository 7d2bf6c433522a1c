/*
 * npm run kills [-- N [SEED]]
 *
 * Runs a network of four processes (local DA, aggregator, follower, follower that reads DA alone) and kills each of
 * them N times (default 200) with SIGKILL at random moments, all at the same time, while transactions flow. Then it
 * says whether anything was lost, changed, doubled, or signed twice. Exit code 0 when nothing was, 1 otherwise.
 */
import { runKills } from './network/kills.ts'

const [count = '200', seed = String(Math.floor(Math.random() * 2 ** 32))] = process.argv.slice(2)
if (!/^\d{1,5}$/.test(count) || !/^\d{1,10}$/.test(seed)) {
  console.error('usage: npm run kills -- N [SEED]')
  process.exitCode = 2
} else {
  const { faults, lines } = await runKills({
    kills: Number(count),
    seed: Number(seed),
    say: process.stderr.isTTY ? (line) => process.stderr.write(`\r\u001b[K${line}`) : () => undefined,
  })
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  console.log(lines.join('\n'))
  for (const fault of faults) console.log(`✗ ${fault}`)
  console.log(faults.length === 0 ? 'nothing lost, nothing changed, nothing signed twice' : 'failed')
  process.exitCode = faults.length === 0 ? 0 : 1
}
