# The facts are there, whatever they are here; with ref, the kernels are the reference ones, and peaks are measured.
"$HONE" cpu | sed 's/  .*//'
"$HONE" cpu --json --cpu ref --threads 3 --measure > facts
for key in name level cores threads l2_bytes l3_bytes kernels one_thread all_threads read_gb_per_s f32_gflops s8_gops; do
    grep -q "\"$key\":" facts || echo "no $key"
done
grep -o '"level":"ref"' facts
grep -o '"threads":3' facts
grep -o '"others":"ref"' facts
grep -q '_per_s":0.0' facts && echo "reads nothing"
grep -q 'inf\|nan' facts && echo "not a number"
echo done
