import { performance } from 'node:perf_hooks'
import { collectDefaultMetrics, Counter, Registry } from 'prom-client'

let registry: Registry | undefined

/** Milliseconds between two looks at whether the event loop is late. */
const LOOP_RESOLUTION = 10

/**
 * What the process is like: `process_*` (CPU, memory, file descriptors) and `nodejs_*` (heap, collections, lag of the
 * event loop). One for all nodes of a process; measuring begins with the first call.
 */
export function processMetrics(): Registry {
  registry ??= makeRegistry()
  return registry
}

function makeRegistry(): Registry {
  const made = new Registry()
  collectDefaultMetrics({ register: made, eventLoopMonitoringPrecision: LOOP_RESOLUTION })
  addLoopTime(made, 'active', 'Time the event loop worked; its rate is the utilisation.')
  addLoopTime(made, 'idle', 'Time the event loop waited for something to do.')
  return made
}

function addLoopTime(registers: Registry, which: 'active' | 'idle', help: string): void {
  const counter: Counter = new Counter({
    name: `nodejs_eventloop_${which}_seconds_total`,
    help,
    registers: [registers],
    collect() {
      counter.reset()
      counter.inc(performance.eventLoopUtilization()[which] / 1_000)
    },
  })
}
