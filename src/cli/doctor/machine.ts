/*
 * What the machine gives a node: Node itself, memory, open files.
 */
import { freemem } from 'node:os'
import { readFile } from 'node:fs/promises'
import { getHeapStatistics } from 'node:v8'
import { nodeVersionProblem } from '../node-version.ts'
import { type Finding, findingsOf } from './finding.ts'

const MIB = 1024 * 1024
/** A follower that catches up needs less than this, an idle one half of it. */
const USUAL_MEMORY = 512 * MIB
const LEAST_MEMORY = 256 * MIB
/** The database opens up to a thousand, connections a hundred. */
const USUAL_FILES = 2_048

const mib = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`

/** Checks Node, memory and limits of this machine, as this process sees them. */
export async function checkMachine(): Promise<Finding[]> {
  const program = findingsOf('program')
  const old = nodeVersionProblem(process.versions.node)
  return [
    old === undefined
      ? program.ok(`Node ${process.versions.node} on ${process.platform} ${process.arch}`)
      : program.problem(old, 'install a newer Node'),
    checkMemory({
      // Far more than there is stands for no limit.
      limit: Math.min(process.constrainedMemory() || Infinity, Number.MAX_SAFE_INTEGER),
      available: process.availableMemory(),
      free: freemem(),
      heap: getHeapStatistics().heap_size_limit,
    }),
    ...(await checkFiles()),
  ]
}

/** Judges memory: the limit of the container, what is free, and how far the heap may grow; bytes. */
export function checkMemory({
  limit,
  available,
  free,
  heap,
}: {
  readonly limit: number
  readonly available: number
  readonly free: number
  readonly heap: number
}): Finding {
  const { ok, warning, problem } = findingsOf('memory')
  const room = Math.max(available, free)
  const told = `${mib(room)} available, heap up to ${mib(heap)}`
  const more = `give it ${mib(USUAL_MEMORY)} or more`
  if (limit < LEAST_MEMORY) return problem(`the limit is ${mib(limit)}: the node would be killed`, more)
  if (limit < USUAL_MEMORY) return warning(`the limit is ${mib(limit)}, little for catching up`, more)
  if (heap < LEAST_MEMORY)
    return warning(`${told}: the heap is small`, 'raise --max-old-space-size in NODE_OPTIONS')
  return room < LEAST_MEMORY ? warning(`${told}: that is little`, 'free some memory') : ok(told)
}

async function checkFiles(): Promise<Finding[]> {
  const { ok, warning } = findingsOf('open files')
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const [, soft] = /^Max open files\s+(\d+)/m.exec(text) ?? []
  if (soft === undefined) return []
  return Number(soft) < USUAL_FILES
    ? [
        warning(
          `only ${soft} may be open at once`,
          `run ulimit -n ${USUAL_FILES}, or set LimitNOFILE in the unit`,
        ),
      ]
    : [ok(`${soft} may be open at once`)]
}
