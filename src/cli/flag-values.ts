/*
 * Values of flags that are no keys of the configuration.
 */
import { parseDuration, toMilliseconds } from '../config/duration.ts'
import { EvolveError, isEvolveError } from '../util/errors.ts'

/** The error of a flag with a wrong value: `USAGE`. */
export function flagError(flag: string, expected: string, got: string): EvolveError {
  return new EvolveError('USAGE', `${flag}: expected ${expected}, got ${JSON.stringify(got)}`)
}

/** Milliseconds of a duration such as `500ms`; with `positive`, 0 is refused. Throws `USAGE`. */
export function durationFlag(
  flag: string,
  text: string,
  { positive = false }: { readonly positive?: boolean } = {},
): number {
  try {
    const nanoseconds = parseDuration(text)
    if (nanoseconds > 0n || (nanoseconds === 0n && !positive)) return toMilliseconds(nanoseconds)
  } catch (error) {
    if (!isEvolveError(error, 'INVALID_DURATION')) throw error
  }
  throw flagError(flag, 'a duration such as 500ms or 6s', text)
}

/** A whole number from `least` to `most`. Throws `USAGE`. */
export function wholeFlag(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw flagError(flag, `a whole number from ${least} to ${most}`, text)
}
