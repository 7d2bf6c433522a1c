import { describe, expect, test } from 'vitest'
import { createRecorder } from '../../test/support/recorder.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { EvolveError, isEvolveError } from '../util/errors.ts'
import { createPatientExecutor, type PatientExecutor } from './execute.ts'
import { BLOCK_METRICS } from './metrics.ts'

const unreachable = (): EvolveError =>
  new EvolveError('EXECUTOR_UNREACHABLE', 'no answer', { verdict: 'retry' })

function rig(answers: (() => string)[]): {
  readonly patient: PatientExecutor
  readonly time: ReturnType<typeof createVirtualEnv>
  readonly recorder: ReturnType<typeof createRecorder>
  readonly calls: number[]
  readonly call: (signal?: AbortSignal) => Promise<string | EvolveError>
} {
  const time = createVirtualEnv()
  const recorder = createRecorder()
  const patient = createPatientExecutor({ env: time.env, ...recorder })
  const calls: number[] = []
  return {
    patient,
    time,
    recorder,
    calls,
    async call(signal = new AbortController().signal) {
      try {
        return await patient.call({
          what: 'executing',
          height: 7,
          signal,
          task: async () => {
            calls.push(time.env.monotonic())
            const answer = answers.shift()
            return answer === undefined ? 'ok' : answer()
          },
        })
      } catch (error) {
        if (isEvolveError(error)) return error
        throw error
      }
    },
  }
}

const fails = (): string => {
  throw new Error('out of gas')
}
const silent = (): string => {
  throw unreachable()
}

describe('a patient executor', () => {
  test('gives the answer at once', async () => {
    const { call, time } = rig([])
    expect(await call()).toBe('ok')
    expect(time.timers).toBe(0)
  })

  test('asks three times, ten seconds apart, and then halts', async () => {
    const { call, time, calls } = rig([fails, fails, fails, () => 'too late'])
    const result = call()
    await time.advance(60_000)
    const error = await result
    expect(isEvolveError(error, 'EXECUTION_FAILED') && error.verdict).toBe('halt')
    expect(isEvolveError(error) && error.message).toContain('out of gas')
    expect(isEvolveError(error) && error.data['height']).toBe(7)
    expect(calls).toEqual([0, 10_000, 20_000])
    expect(time.timers).toBe(0)
  })

  test('goes on when the third attempt succeeds', async () => {
    const { call, time, calls } = rig([fails, fails])
    const result = call()
    await time.advance(20_000)
    expect(await result).toBe('ok')
    expect(calls).toHaveLength(3)
  })

  test('waits for an unreachable one for ever, from a quarter of a second to ten, and says so once', async () => {
    const { call, time, calls, patient, recorder } = rig(Array.from({ length: 100 }, () => silent))
    const result = call()
    await time.advance(600)
    expect(patient.reachable).toBe(false)
    expect(recorder.value(BLOCK_METRICS.executorReachable)).toBe(0)
    await time.advance(2_000_000)
    expect(await result).toBe('ok')
    expect(patient.reachable).toBe(true)
    expect(recorder.value(BLOCK_METRICS.executorReachable)).toBe(1)
    const gaps = calls.slice(1).map((at, index) => at - (calls[index] ?? 0))
    expect(gaps.slice(0, 8)).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000])
    expect(recorder.lines).toEqual([
      'warn: executor cannot be reached; waiting for it',
      'info: executor answers again',
    ])
  })

  test('time without an answer does not count as a failed attempt', async () => {
    const { call, time, calls } = rig([fails, silent, silent, fails, silent, fails])
    const result = call()
    await time.advance(100_000)
    expect(isEvolveError(await result, 'EXECUTION_FAILED')).toBe(true)
    expect(calls).toHaveLength(6)
  })

  test('a failure that says halt is not repeated', async () => {
    const { call, calls } = rig([
      () => {
        throw new EvolveError('STATE_ROOT_MISMATCH', 'not my state', { verdict: 'halt' })
      },
    ])
    expect(isEvolveError(await call(), 'STATE_ROOT_MISMATCH')).toBe(true)
    expect(calls).toHaveLength(1)
  })

  test.each([
    ['waiting for an unreachable one', silent],
    ['waiting for the next attempt', fails],
  ])('aborts while %s and leaves no timer', async (_, answer) => {
    const { call, time } = rig([answer])
    const controller = new AbortController()
    const result = call(controller.signal)
    await time.advance(100)
    controller.abort(new EvolveError('ABORTED', 'enough'))
    expect(isEvolveError(await result, 'ABORTED')).toBe(true)
    expect(time.timers).toBe(0)
  })

  test('does not wait for a call that ignores its signal', async () => {
    const time = createVirtualEnv()
    const patient = createPatientExecutor({ env: time.env, ...createRecorder() })
    const controller = new AbortController()
    const task = async (): Promise<string> => await Promise.withResolvers<string>().promise
    const result = patient.call({ what: 'executing', height: 1, signal: controller.signal, task })
    controller.abort(new EvolveError('ABORTED', 'enough'))
    await expect(result).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
