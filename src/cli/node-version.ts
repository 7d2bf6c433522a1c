/*
 * Read before anything else of the program, by whatever Node there is: nothing newer than Node 20 may stand here.
 */

/** Oldest Node that runs this program. */
const OLDEST = [22, 18] as const

/** What to say when `version` (`22.18.0`) is too old to run the program, undefined when it is not. */
export function nodeVersionProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined
  return `evolve needs Node ${OLDEST.join('.')} or newer; this is Node ${version}. Get one from https://nodejs.org`
}
