import { EvolveError } from '../util/errors.ts'

/** Something wrong in the configuration. */
export interface Problem {
  /** The key, or undefined when it is not about one. */
  readonly key: string | undefined
  /** Where it was given: `home/config/evnode.yaml, line 3`, `EVNODE_LOG_LEVEL`, `--evnode.log.level`. */
  readonly origin: string | undefined
  /** What came and what is expected. */
  readonly message: string
}

/** One problem in one line. */
export function describeProblem({ key, origin, message }: Problem): string {
  const where = origin === undefined ? '' : ` (${origin})`
  return key === undefined ? `${message}${where}` : `${key}: ${message}${where}`
}

/** An error `INVALID_CONFIG` that tells all problems, one a line when there are several. */
export function configError(problems: readonly Problem[]): EvolveError {
  const lines = problems.map(describeProblem)
  const message =
    lines.length === 1
      ? `the configuration is wrong: ${lines.join('')}`
      : `the configuration has ${lines.length} problems:\n${lines.map((line) => `  ${line}`).join('\n')}`
  return new EvolveError('INVALID_CONFIG', message, { data: { problems } })
}
