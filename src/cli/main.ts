#!/usr/bin/env node
import { nodeVersionProblem } from './node-version.ts'

const problem = nodeVersionProblem(process.versions.node)
if (problem === undefined) {
  // A synced write holds a thread of the pool while the disk works; with the usual four, reads wait behind such writes.
  process.env['UV_THREADPOOL_SIZE'] ??= '16'
  // Only now: an older Node could not even parse what this loads.
  const { runProcess } = await import('./process.ts')
  await runProcess()
} else {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 2
}
