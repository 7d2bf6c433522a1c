#!/usr/bin/env node
import { tuneProcess } from '../node/process.node.ts'
import { nodeVersionProblem } from './node-version.ts'

const problem = nodeVersionProblem(process.versions.node)
if (problem === undefined) {
  tuneProcess()
  // Only now: an older Node could not even parse what this loads.
  const { runProcess } = await import('./process.ts')
  await runProcess()
} else {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 2
}
