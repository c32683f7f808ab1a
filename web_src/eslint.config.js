import tseslint from "typescript-eslint";

export default tseslint.config({ ignores: ["node_modules/", "*.js", "*.mjs"] }, ...tseslint.configs.strictTypeChecked, {
  languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
  rules: {
    "no-console": "error",
    "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    // Indices into typed arrays are checked by the loops around them.
    "@typescript-eslint/no-non-null-assertion": "off",
  },
});
