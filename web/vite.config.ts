import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// During development the page is served by Vite and the API by a running server.
const backend = process.env.TALLYMARK_URL ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    // No inlined assets and no inline preload helper: everything is a file that the policy can name.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  server: {
    proxy: { '/api': backend, '/health': backend, '/metrics': backend },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
