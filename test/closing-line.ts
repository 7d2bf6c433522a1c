import type { Reporter, TestModule } from 'vitest/node'

/** Prints one plain line when all is over: how many tests passed and how many failed, suites that did not load among them. */
export function closingLine(): Reporter {
  return {
    onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]) {
      let passed = 0
      let failed = errors.length
      for (const module of modules) {
        failed += module.errors().length
        for (const test of module.children.allTests()) {
          const { state } = test.result()
          if (state === 'passed') passed++
          else if (state === 'failed') failed++
        }
      }
      process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
    },
  }
}
