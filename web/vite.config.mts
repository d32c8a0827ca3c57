// Builds the page into dist/: index.html, page.js, page.css, icon.svg, licences.txt, and dashboard.js and
// dashboard.css, which are fetched when that view is opened. Names have no hash, so that the built files can be
// committed and compared; the server sends ETags.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

// A view that is fetched later is a file of the view's name.
const laterName = (name: string): string => name.replace(/View$/, '').toLowerCase();

// licences.txt: the licence of each package that has code in the bundle.
function licences(): Plugin {
  return {
    name: 'licences',
    generateBundle(_options, bundle) {
      const folders = new Set<string>();
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        for (const [id, module] of Object.entries(chunk.modules)) {
          const folder = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id);
          if (folder !== null && module.renderedLength > 0) folders.add(folder[0]);
        }
      }
      const parts = [...folders].sort((a, b) => path.basename(a).localeCompare(path.basename(b), 'en')).map((folder) => {
        const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
        const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
        if (file === undefined) this.error(`${name} has no licence file`);
        return `${name} ${version} (${license})\n\n${readFileSync(path.join(folder, file as string), 'utf8').trim()}\n`;
      });
      const head = 'The page of Snug holds code of these packages. Snug itself: Apache-2.0.\n';
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: [head, ...parts].join(`\n${'-'.repeat(70)}\n\n`) });
    },
  };
}

export default defineConfig({
  base: './',
  plugins: [svelte(), licences()],
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the page's policy allows no inline pictures in styles
    rollupOptions: {
      output: {
        entryFileNames: 'page.js',
        chunkFileNames: (chunk) => `${laterName(chunk.name)}.js`,
        assetFileNames: ({ names }) => (/View\.css$/.test(names[0] ?? '') ? `${laterName((names[0] ?? '').slice(0, -4))}.css` : 'page.[ext]'),
      },
    },
  },
  server: { proxy: { '/api': process.env.SNUG_URL ?? 'http://127.0.0.1:7860' } },
});
