/** What a check found. */
export interface Finding {
  /** What was looked at: `config`, `genesis`, `peers`, … */
  readonly area: string
  /**
   * - `ok`: as it should be
   * - `warning`: it works, but somebody should know
   * - `problem`: the node does not start or does not follow the chain with this
   */
  readonly level: 'ok' | 'warning' | 'problem'
  readonly message: string
  /** What to do about it; undefined where nothing is to be done. */
  readonly advice: string | undefined
}

/** Findings of one area. */
export interface Findings {
  readonly ok: (message: string) => Finding
  readonly warning: (message: string, advice: string) => Finding
  readonly problem: (message: string, advice: string) => Finding
}

/** Makes findings of an area. */
export function findingsOf(area: string): Findings {
  return {
    ok: (message) => ({ area, level: 'ok', message, advice: undefined }),
    warning: (message, advice) => ({ area, level: 'warning', message, advice }),
    problem: (message, advice) => ({ area, level: 'problem', message, advice }),
  }
}
