import { fileURLToPath } from 'node:url'
import { defaultClientConditions, defineConfig } from 'vite'

/** Makes the page that a node serves at `/`: everything in files of its own, as its content security policy asks. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  resolve: { conditions: ['evolve-source', ...defaultClientConditions] },
  build: {
    outDir: fileURLToPath(new URL('../../dist/explorer', import.meta.url)),
    emptyOutDir: true,
    target: ['chrome125', 'firefox125', 'safari17.5'],
    // No data: URLs, and nothing that is put into the page itself.
    assetsInlineLimit: 0,
    modulePreload: false,
    // Modules of libraries do nothing by being loaded: without this the curves of signatures come along, which nobody uses.
    rolldownOptions: {
      treeshake: {
        moduleSideEffects: [
          { test: /apps\/explorer\/|\.css$/, sideEffects: true },
          { test: /./, sideEffects: false },
        ],
      },
    },
    reportCompressedSize: false,
  },
  server: { proxy: { '^/(evolve|evnode)\\.v1\\.': process.env['EVOLVE_RPC'] ?? 'http://127.0.0.1:7331' } },
})
